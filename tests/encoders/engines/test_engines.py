"""Engines beside PyTorch: the same maps, and PyTorch wherever they cannot give them."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import relax
from conftest import TinyEncoder
from relax.encoders.engines import choice

ENGINES = ("onnxruntime", "openvino")
DIFFERENCE = 1e-3
"""Largest difference of maps by an engine, relative to the standard deviation of PyTorch's, as docs/speed.md states."""


@pytest.fixture(params=ENGINES)
def engine(request):
    pytest.importorskip("onnx")
    pytest.importorskip(request.param)
    return request.param


@pytest.fixture
def onnxruntime():
    pytest.importorskip("onnx")
    return pytest.importorskip("onnxruntime")


def same(found: relax.Explanation, expected: relax.Explanation) -> None:
    for name in ("importance", "uncertainty", "standard_error"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(ours, theirs, atol=DIFFERENCE * theirs.std(), rtol=0)


@pytest.mark.parametrize("method", ["relax", "relax-regression"])
def test_maps_are_those_of_pytorch(engine, method, tiny, image):
    expected = relax.explain(tiny, image, method=method, n_masks=256, engine="torch")
    found = relax.explain(tiny, image, method=method, n_masks=256, engine=engine)
    assert (expected.settings["engine"], found.settings["engine"]) == ("torch", engine)
    same(found, expected)
    cost, plain = found.settings["cost"], expected.settings["cost"]
    assert cost["forwards"] == plain["forwards"]
    assert cost["probes"] > plain["probes"]  # the input itself once more, in the engine, is one of them


def test_maps_of_the_embedded_encoder_are_those_of_pytorch(engine, lite0):
    x = torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0))
    options = {"method": "relax", "n_masks": 256, "precision": "float32"}
    found = relax.explain(lite0, x, engine=engine, **options)
    assert found.settings["engine"] == engine
    same(found, relax.explain(lite0, x, engine="torch", **options))


@pytest.mark.parametrize("method", ["kernel-shap", "occlusion", "hsic", "repeat"])
def test_methods_of_forwards_run_in_an_engine(method, tiny, image, onnxruntime):
    pytest.importorskip("captum")
    options = {"n_masks": 256} if method == "repeat" else {"n_samples": 200} if method != "occlusion" else {}
    found = relax.explain(tiny, image, method=method, engine="onnxruntime", **options)
    expected = relax.explain(tiny, image, method=method, engine="torch", **options)
    assert found.settings["engine"] == "onnxruntime"
    np.testing.assert_allclose(found.importance, expected.importance, atol=0.01 * np.ptp(expected.importance))


def test_the_arguments_of_an_explanation_name_its_engine(engine, tiny, image, tmp_path):
    e = relax.explain(tiny, image, n_masks=256, method="relax", engine=engine)
    e.save(tmp_path / "e.npz")
    loaded = relax.Explanation.load(tmp_path / "e.npz")
    assert loaded.arguments()["engine"] == engine
    again = relax.explain(tiny, torch.from_numpy(loaded.input), **loaded.arguments())
    np.testing.assert_allclose(again.importance, e.importance, atol=1e-6)
    del loaded.settings["engine"]  # as in files of earlier versions
    assert loaded.arguments()["engine"] == "torch"


def test_auto_leaves_short_runs_alone_and_exports_for_long_ones(tiny, image, onnxruntime, monkeypatch):
    short = relax.explain(tiny, image, n_masks=256, method="relax")
    assert short.settings["engine"] == "torch"
    monkeypatch.setattr(choice, "_pays_back", lambda *arguments, **options: True)
    timed = choice._timed
    faster = lambda encode, rows: (timed(encode, rows)[0], 0.1 if hasattr(encode, "precision") else 1.0)  # noqa: E731
    monkeypatch.setattr(choice, "_timed", faster)
    exports = counted(monkeypatch)
    encoder = relax.Encoder(tiny)
    chosen = [relax.explain(encoder, image, n_masks=256, method="relax").settings["engine"] for _ in range(3)]
    assert set(chosen) <= set(ENGINES)
    assert len(set(chosen)) == 1
    assert len(exports) == 1


def test_what_pays_back():
    def enough(rows: int, seconds_a_row: float, since: float = 0.0) -> bool:
        task = choice.Task(*[None] * 7, choice.Work(rows), None)
        object.__setattr__(task, "model", nn.Conv2d(2, 2, 1, groups=2))
        return choice._pays_back(task, choice.Usage(100, 100 * seconds_a_row, since), changed=False)

    assert enough(512, 0.02)
    assert not choice._pays_back(None, choice.Usage(choice.PROBES - 1, 1.0), changed=False)  # the rate is not known yet
    assert not enough(64, 0.02)
    assert not enough(512, 0.0001)
    assert enough(64, 0.02, since=10.0)


def counted(monkeypatch) -> list[int]:
    """A list with an item for each export."""
    exports: list[int] = []
    export = choice.exported
    monkeypatch.setattr(choice, "exported", lambda *arguments: (exports.append(1), export(*arguments))[1])
    return exports


class Around(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = TinyEncoder()


class Disagrees(Around):
    """Another function when it is traced."""

    def forward(self, x: Tensor) -> Tensor:
        found = self.layer(x)
        return found.flip(1) if torch.jit.is_tracing() else found


class Unexportable(Around):
    """An operator without an ONNX equivalent."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j1(self.layer(x))


class FixedBatch(Around):
    """The number of rows of its trace is a constant."""

    def forward(self, x: Tensor) -> Tensor:
        n = len(x) if not torch.jit.is_tracing() else 2
        return self.layer(x).reshape(n, -1)


@pytest.mark.parametrize(
    ("model", "words"),
    [(Disagrees, "disagrees with PyTorch by"), (Unexportable, "cannot be exported"), (FixedBatch, "failed|disagrees")],
)
@pytest.mark.parametrize("asked", ["onnxruntime", "auto"])
def test_models_that_an_engine_cannot_run_run_in_pytorch_and_that_is_said_once(
    model, words, asked, image, onnxruntime, monkeypatch, capfd
):
    monkeypatch.setattr(choice, "_pays_back", lambda *arguments, **options: True)
    encoder = relax.Encoder(model())
    with pytest.warns(relax.RelaxWarning, match=words) as noted:
        found = relax.explain(encoder, [image, image], n_masks=256, method="relax", engine=asked)
    assert len(noted) == 1
    assert "\n" not in str(noted[0].message)
    assert capfd.readouterr() == ("", "")  # no graph on stdout
    expected = relax.explain(encoder, image, n_masks=256, method="relax", engine="torch")
    for e in found:
        assert e.settings["engine"] == "torch"
        np.testing.assert_array_equal(e.importance, expected.importance)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "onnx"])
def test_an_engine_that_is_not_installed_names_the_extra(name, tiny, image, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    asked = "openvino" if name == "openvino" else "onnxruntime"
    if name == "onnx":
        pytest.importorskip("onnxruntime")
    with pytest.raises(relax.MissingExtraError, match=r"needs onnx.*|needs openvino.*") as caught:
        relax.Explainer(tiny, engine=asked)
    assert "[cpu]" in str(caught.value)
    assert relax.explain(tiny, image, n_masks=256, method="relax").settings["engine"] == "torch"


def test_unknown_engines_are_named(tiny):
    with pytest.raises(relax.ArgumentError, match="one of auto, torch, onnxruntime, openvino, got 'tensorrt'"):
        relax.Explainer(tiny, engine="tensorrt")


class TwoInputs(nn.Module):
    def forward(self, views: dict[str, Tensor]) -> Tensor:
        return torch.cat([views["a"].flatten(1), views["b"].tanh()], 1)


PYTORCH_ONLY = {
    "plain callable": (lambda tiny: lambda x: tiny(x), {}, "not an nn.Module"),
    "scripted": (lambda tiny: torch.jit.script(tiny), {}, "scripted or compiled"),
    "double precision": (lambda tiny: TinyEncoder().eval().double(), {}, "not float32"),
    "gradients": (lambda tiny: tiny, {"method": "saliency"}, "needs gradients"),
    "hooks": (lambda tiny: tiny, {"method": "grad-cam"}, "needs activations"),
    "low precision": (lambda tiny: tiny, {"precision": "bfloat16"}, "does not compute in bfloat16"),
}


@pytest.mark.parametrize("case", PYTORCH_ONLY)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_only_pytorch_can_run_is_said_if_the_engine_was_named(case, tiny, image, onnxruntime):
    pytest.importorskip("captum")
    build, arguments, words = PYTORCH_ONLY[case]
    if "method" not in arguments:
        arguments = {"method": "relax", "n_masks": 256, **arguments}
    with pytest.warns(relax.RelaxWarning, match=words):
        found = relax.explain(build(tiny), image, engine="onnxruntime", **arguments)
    silent = relax.explain(build(tiny), image, **arguments)  # a warning would be an error
    assert found.settings["engine"] == silent.settings["engine"] == "torch"
    np.testing.assert_allclose(found.importance, silent.importance, atol=1e-6)


def test_an_object_of_several_views_runs_in_pytorch(image, onnxruntime):
    with pytest.warns(relax.RelaxWarning, match="not one tensor"):
        found = relax.explain(TwoInputs(), {"a": image, "b": image[0, 0]}, n_masks=512, engine="onnxruntime")
    assert all(e.settings["engine"] == "torch" for e in found.values())


def test_hooks_of_the_user_are_called(tiny, image, onnxruntime):
    encoder = relax.Encoder(tiny)
    relax.explain(encoder, image, n_masks=256, method="relax", engine="onnxruntime")
    rows: list[int] = []
    handle = tiny.register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
    with pytest.warns(relax.RelaxWarning, match="forward hooks"):
        e = relax.explain(encoder, image, n_masks=256, method="relax", engine="onnxruntime")
    handle.remove()
    assert e.settings["engine"] == "torch"
    assert sum(rows) == e.settings["cost"]["forwards"]


def in_place(tiny: TinyEncoder) -> None:
    with torch.no_grad():
        tiny.net[0].weight.mul_(-1)


def through_data(tiny: TinyEncoder) -> None:
    tiny.net[0].weight.data.mul_(-1)  # does not count as a new version


def new_module(tiny: TinyEncoder) -> None:
    tiny.net[3] = nn.Conv2d(8, 12, 3, stride=2, bias=False)


def statistics(tiny: TinyEncoder) -> None:
    tiny.net[1].running_mean.add_(0.3)


@pytest.mark.parametrize("change", [in_place, through_data, new_module, statistics])
def test_weights_that_change_between_calls_are_seen(change, engine, tiny, image):
    encoder = relax.Encoder(tiny)
    explainer = relax.Explainer(encoder, n_masks=256, method="relax", engine=engine)
    before = explainer(image)
    change(tiny)
    after = explainer(image)
    assert after.settings["engine"] == engine
    expected = relax.explain(encoder, image, n_masks=256, method="relax", engine="torch")
    same(after, expected)
    assert np.abs(after.importance - before.importance).max() > 0.1 * before.importance.std()


def test_inputs_of_other_sizes_get_graphs_of_their_own_and_few_are_kept(tiny, onnxruntime):
    encoder = relax.Encoder(tiny)
    draws = torch.Generator().manual_seed(3)
    for size in ((28, 28), (20, 36), (41, 23), (28, 28)):
        x = torch.rand(3, *size, generator=draws)
        found = relax.explain(encoder, x, n_masks=256, method="relax", engine="onnxruntime")
        assert found.settings["engine"] == "onnxruntime"
        same(found, relax.explain(encoder, x, n_masks=256, method="relax", engine="torch"))
    assert len(encoder.engines.kept) <= choice.KEPT


def test_an_engine_that_fails_in_the_middle_is_replaced(tiny, image, onnxruntime, monkeypatch):
    from relax.encoders.engines.runners import OnnxRuntime

    rows: list[int] = []
    run = OnnxRuntime.__call__

    def failing(self: OnnxRuntime, batch: Tensor) -> Tensor:
        rows.append(len(batch))
        if sum(rows) > 100:
            raise RuntimeError("out of workspace\nand more")
        return run(self, batch)

    monkeypatch.setattr(OnnxRuntime, "__call__", failing)
    with pytest.warns(relax.RelaxWarning, match="onnxruntime failed: out of workspace") as noted:
        e = relax.explain(tiny, image, n_masks=256, method="relax", engine="onnxruntime")
    assert len(noted) == 1
    assert e.settings["engine"] == "torch"
    same(e, relax.explain(tiny, image, n_masks=256, method="relax", engine="torch"))


def test_threads_share_an_engine(engine, tiny, image):
    explainer = relax.Explainer(tiny, n_masks=512, method="relax", engine=engine)
    inputs = [image.roll(k, 2) for k in range(4)]
    expected = [relax.explain(tiny, x, n_masks=512, method="relax", engine="torch") for x in inputs]
    found: list[relax.Explanation | None] = [None] * len(inputs)

    def work(number: int) -> None:
        found[number] = explainer(inputs[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ours, theirs in zip(found, expected, strict=True):
        same(ours, theirs)


def test_the_model_and_the_random_state_are_left_as_found(tiny, image, onnxruntime):
    tiny.train()
    state, weights = torch.get_rng_state(), {name: value.clone() for name, value in tiny.state_dict().items()}
    relax.explain(tiny, image, n_masks=256, method="relax", engine="onnxruntime")
    assert all(module.training for module in tiny.modules())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, weights[name]) for name, value in tiny.state_dict().items())


def test_another_number_of_threads_is_another_session(tiny, image, onnxruntime, monkeypatch):
    threads: list[int] = []
    make = choice.runner
    monkeypatch.setattr(choice, "runner", lambda *arguments: (threads.append(arguments[-1]), make(*arguments))[1])
    before, encoder = torch.get_num_threads(), relax.Encoder(tiny)
    try:
        for n in (1, 2, 1):
            torch.set_num_threads(n)
            relax.explain(encoder, image, n_masks=256, method="relax", engine="onnxruntime")
    finally:
        torch.set_num_threads(before)
    assert threads == [1, 2]


def test_representations_by_an_engine(engine, tiny, image):
    batch = torch.stack([image.roll(k, 2) for k in range(5)])
    encoder = relax.Encoder(tiny)
    np.testing.assert_allclose(encoder.encode(batch, engine=engine), encoder.encode(batch), atol=1e-5)


def test_weights_that_change_by_little_are_exported_again(tiny, image, onnxruntime, monkeypatch):
    exports, encoder = counted(monkeypatch), relax.Encoder(tiny)
    for _ in range(2):
        relax.explain(encoder, image, n_masks=256, method="relax", engine="onnxruntime")
    assert len(exports) == 1
    with torch.no_grad():
        tiny.net[0].weight.mul_(1 + 1e-6)  # too little for the check on two inputs
    relax.explain(encoder, image, n_masks=256, method="relax", engine="onnxruntime")
    assert len(exports) == 2
