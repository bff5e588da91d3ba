"""Everything can be added from outside: through public names, through entry points, and as docs/extending.md says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

import relax
from relax._support.registry import registry_of

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "extending.md"
PACKAGE = ROOT / "examples" / "relax-letters"

VOCABULARY = ("a", "small", "red", "fox", "sleeps")
WEIGHTS = torch.tensor([[1.0, 0.5, -2.0, 3.0, 0.0], [0.0, 1.0, 1.0, -1.0, 2.0], [2.0, -1.0, 0.5, 1.0, 1.0]])
TEXT = "a small red fox sleeps"


class WordUnits(relax.Units):
    """Units of its own, not LabelUnits: bits are masks."""

    placements = (1,)

    def __init__(self, n_words: int) -> None:
        self.n_units = n_words
        self.shape = (n_words,)

    def masks(self, block: relax.Block) -> Tensor:
        return block.bits

    def pull_back(self, weights: Tensor, block: relax.Block) -> Tensor:
        return weights @ block.bits.double()


@dataclass(frozen=True)
class OneByOne(relax.Masks):
    """Words, one by one."""

    keep: float = 0.5

    def over(self, prepared):
        table = prepared if isinstance(prepared, Tensor) else prepared.tensor
        return WordUnits(table.shape[-1])

    def settings(self):
        return {"name": "test-words", "keep": self.keep}


class Sentences(relax.Modality):
    """Sentences of five words, one-hot: ``(5, words)``."""

    name = "test-sentences"
    default_masks = "test-words"

    def prepare(self, source):
        if isinstance(source, relax.Prepared):
            return source
        if not isinstance(source, str) or not source.split() or not set(source.split()) <= set(VOCABULARY):
            raise relax.InputError(f"expected words among {', '.join(VOCABULARY)}, got {source!r}")
        words = list(re.finditer(r"\S+", source))
        return relax.Prepared(
            {"words": torch.tensor([[float(word.group() == known) for word in words] for known in VOCABULARY])},
            presentation=source,
            labels=tuple(word.group() for word in words),
            spans=tuple(word.span() for word in words),
            source={"source": source},
        )

    def to_map(self, attribution):
        return attribution.sum(0)

    @staticmethod
    def show(explanation):
        figure = Figure()
        axes = figure.subplots()
        axes.bar(range(len(explanation.labels)), explanation.effect)
        axes.set_xticks(range(len(explanation.labels)), explanation.labels)
        return figure


def linear(batch: Tensor) -> Tensor:
    """``(N, 5, words)`` to ``(N, 3)``."""
    return batch.sum(-1) @ WEIGHTS.T


def contributions(text: str) -> np.ndarray:
    """What each word adds to the dot product of the representation with itself."""
    columns = WEIGHTS[:, [VOCABULARY.index(word) for word in text.split()]]
    return (columns.T @ columns.sum(1)).numpy()


@pytest.fixture
def sentences(_registries_as_before):
    relax.register("modality", "test-sentences", Sentences)
    relax.register("masks", "test-words", OneByOne)
    return relax.Encoder(linear, modality="test-sentences")


def test_importance_of_a_linear_encoder_is_half_of_each_contribution(sentences):
    e = relax.explain(sentences, TEXT, similarity="dot", fill="zero")
    own = contributions(TEXT)
    # E[s | unit kept] = c + (sum of the others) / 2, E[s] = (sum of all) / 2; the fold-over design has no error
    np.testing.assert_allclose(e.effect, own / 2, atol=1e-5)
    np.testing.assert_allclose(e.importance, own / 2 + own.sum() / 2, atol=1e-5)
    assert e.neutral == pytest.approx(own.sum() / 2)
    assert e.score == pytest.approx(own.sum())
    assert e.standard_error.max() < 1e-5
    assert e.settings["modality"] == "test-sentences"
    assert e.settings["masks"] == {"name": "test-words", "keep": 0.5}


@pytest.mark.parametrize(("method", "scale"), [("occlusion", 1), ("relax", 0.5)])
def test_methods_by_name_agree_on_a_linear_encoder(sentences, method, scale):
    e = relax.explain(sentences, TEXT, method=method, similarity="dot", fill="zero")
    np.testing.assert_allclose(e.effect, scale * contributions(TEXT), atol=1e-5)


def test_a_modality_from_outside_has_gradients(sentences):
    e = relax.explain(sentences, TEXT, method="input-x-gradient", similarity="dot", fill="zero")
    np.testing.assert_allclose(e.importance, contributions(TEXT), atol=1e-5)


def test_labels_spans_and_text_survive_saving(sentences, tmp_path):
    e = relax.explain(sentences, TEXT, n_masks=64)
    e.save(tmp_path / "e.npz")
    again = relax.Explanation.load(tmp_path / "e.npz")
    assert again.labels == tuple(TEXT.split())
    assert [TEXT[start:stop] for start, stop in again.spans] == TEXT.split()
    assert again.presentation == TEXT
    np.testing.assert_array_equal(again.importance, e.importance)
    repeated = relax.explain(sentences, TEXT, **again.arguments())
    np.testing.assert_allclose(repeated.importance, e.importance, atol=1e-6)


def test_a_list_gives_what_single_calls_give(sentences):
    texts = [TEXT, "red fox", "a fox sleeps"]
    listed = relax.explain(sentences, texts, n_masks=32)
    assert [e.labels for e in listed] == [tuple(text.split()) for text in texts]
    for text, e in zip(texts, listed, strict=True):
        np.testing.assert_array_equal(e.importance, relax.explain(sentences, text, n_masks=32).importance)


def test_a_stream_goes_on_after_an_input_that_cannot_be_read(sentences):
    explainer = relax.Explainer(sentences, n_masks=32)
    first, bad, wrong, last = explainer.stream([TEXT, 7, "green fox", "red fox"], errors="return")
    assert isinstance(bad, relax.Failed)
    assert bad.source == 7
    assert isinstance(bad.error, relax.InputError)
    assert "green fox" in str(wrong.error)
    assert (first.labels, last.labels) == (tuple(TEXT.split()), ("red", "fox"))


def test_another_input_is_a_reference(sentences):
    e = relax.explain(sentences, TEXT, "fox", method="occlusion", similarity="dot", fill="zero")
    fox = WEIGHTS[:, VOCABULARY.index("fox")]
    np.testing.assert_allclose(e.importance, (WEIGHTS.T @ fox).numpy(), atol=1e-5)


def test_the_modality_draws_its_explanations(sentences, tmp_path):
    e = relax.explain(sentences, TEXT, n_masks=32)
    axes = e.plot(tmp_path / "e.png").axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == TEXT.split()
    assert (tmp_path / "e.png").stat().st_size > 0


def test_masks_of_pictures_are_refused_by_other_modalities(sentences):
    long = " ".join(VOCABULARY * 2)
    with pytest.raises(relax.ArgumentError, match="grid"):
        relax.explain(sentences, long, masks=relax.GridMasks(3), n_masks=64)


def test_a_modality_that_is_given_as_a_class_draws_too(sentences):
    class Unregistered(Sentences):
        name = "unregistered"

    e = relax.explain(relax.Encoder(linear, modality=Unregistered), TEXT, n_masks=32)
    assert isinstance(e.plot(), Figure)


def test_a_function_as_encoder_family_is_listed():
    from relax.cli.listing import _catalogue

    @relax.register("encoder", "test-identity:N")
    def identity(name: str, **options):
        """The input itself."""
        return relax.Encoder(torch.nn.Flatten(), modality="vector", **options)

    assert relax.load_encoder("test-identity:1").modality.name == "vector"
    assert "test-identity:N" in dict(_catalogue("encoders"))


# ---- the example package


SCRIPT = """
import json, sys
import relax
from relax.cli.listing import _catalogue

early = "relax_letters" in sys.modules
names = {what: [name for name, _ in _catalogue(what)] for what in ("modalities", "masks", "methods", "references")}
encoder = relax.Encoder(lambda counts: counts, modality="letters")
given = dict(precision="float32", similarity="dot", fill="zero")
text = "some words, here"
e = relax.explain(encoder, text, masks="letter-words", **given)
e.plot(sys.argv[1] + "/e.png")
e.save(sys.argv[1] + "/e.npz")
again = relax.Explanation.load(sys.argv[1] + "/e.npz")
alone = relax.explain(encoder, text, method="leave-one-out", **given)
pairs = relax.explain(encoder, text, method="leave-one-out", together=2, **given)
vowels = relax.references.REFERENCES["vowels"]()
near = relax.explain(encoder, text, vowels, method="leave-one-out", **given)
print(json.dumps({
    "names": names,
    "effect": e.effect.tolist(),
    "labels": again.labels,
    "spans": again.spans,
    "alone": alone.importance.tolist(),
    "pairs": pairs.importance.tolist(),
    "vowels": near.importance.tolist(),
    "against": near.settings["against"]["source"],
    "several": [one.labels for one in relax.explain(encoder, ["one", "two words"], **given)],
    "lengths": list(encoder.encode(["one", "two words"]).shape),
    "early": early,
}))
"""


def entry_points_of(pyproject: Path) -> str:
    """What an installer writes into ``entry_points.txt``."""
    groups = tomllib.loads(pyproject.read_text())["project"]["entry-points"]
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in points.items()), ""]
    return "\n".join(lines)


def as_if_installed(tmp_path: Path, sources: Path, points: str) -> dict[str, str]:
    """An environment in which ``importlib.metadata`` finds a package that was not installed."""
    about = tmp_path / "site" / "as_if_installed-0.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: as-if-installed\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text(points)
    path = os.pathsep.join([str(sources), str(about.parent)])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def test_the_example_package_works_by_names_only(tmp_path):
    points = entry_points_of(PACKAGE / "pyproject.toml")
    taken = "relax = relax_letters.method:LeaveOneOut\n"  # a built-in name, which stays what it is
    points = points.replace("[relax.method]\n", f"[relax.method]\n{taken}")
    environment = as_if_installed(tmp_path, PACKAGE / "src", points)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["early"]
    names = found["names"]
    assert "letters" in names["modalities"]
    assert "letter-words" in names["masks"]
    assert "leave-one-out" in names["methods"]
    assert "vowels" in names["references"]
    # the representation is the counts: words share letters, and each counts its letters in the whole text
    total = {letter: "somewordshere".count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"}
    own = np.array([sum(total[letter] for letter in word) for word in ("some", "words", "here")], dtype=float)
    np.testing.assert_allclose(found["effect"], own / 2, atol=1e-5)
    np.testing.assert_allclose(found["alone"], own, atol=1e-5)
    first, last = own[0] + own[1], own[1] + own[2]
    np.testing.assert_allclose(found["pairs"], [first, (first + last) / 2, last], atol=1e-5)
    assert found["vowels"] == [2, 1, 2]
    assert found["against"] == "the vowels aeiou"
    assert found["labels"] == ["some", "words", "here"]
    assert found["spans"] == [[0, 4], [5, 10], [12, 16]]
    assert found["several"] == [["one"], ["two", "words"]]
    assert found["lengths"] == [2, 26]
    assert (tmp_path / "e.png").stat().st_size > 0


def test_a_list_survives_a_package_that_cannot_be_imported():
    from relax.cli.listing import _catalogue

    registry_of("masks")._entries["broken"] = EntryPoint("broken", "not_there:Nothing", "relax.masks")
    relax.register("masks", "after", OneByOne)
    assert {"grid", "after"} <= set(dict(_catalogue("masks")))


def test_a_design_that_cannot_be_imported_stops_no_other(sentences):
    class Own(relax.designs.Independent):
        def sized(self, size):
            return Own(size)

    point = EntryPoint("broken", "not_there:Nothing", "relax.design")
    registry_of("design")._entries["broken"] = point
    assert relax.explain(sentences, TEXT, n_masks=256, design=Own()).settings["design"] == "Own"


# ---- the page


@pytest.fixture
def page(_registries_as_before):
    """The names that the page's blocks define, run one after the other."""
    text = PAGE.read_text()
    names = {"__name__": "extending"}
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        before = text[: block.start()].count("\n") + 1
        exec(compile("\n" * before + block.group(1), str(PAGE), "exec", dont_inherit=True), names)
    return names


def test_every_block_of_the_page_does_what_it_says(page, tmp_path):
    np.testing.assert_array_equal(page["by_name"].importance, page["by_object"].importance)
    assert page["by_name"].settings["options"] == {"relative": True}

    bands = page["bands"]
    assert bands.settings["masks"] == {"name": "rows", "bands": 7, "keep": 0.5}
    assert np.ptp(bands.importance, axis=1).max() == 0  # a row is a unit's own
    assert relax.masks.create(**bands.settings["masks"]) == page["RowMasks"](bands=7)

    assert page["mirrored"].settings["fill"] == {"name": "mirror"}
    assert all(page["mirrored"].settings["reproducible"].values())

    block = page["Antithetic"]().block(3, relax.ColumnMasks().over(torch.zeros(9)), 0.5, seed=1)
    assert torch.equal(block.bits[:64] + block.bits[64:], torch.ones(64, 9))
    assert page["paired"].settings["design"] == "antithetic"

    own = page["encoder"].encode(page["image"])
    assert page["length"].score == pytest.approx(float(own.norm()), rel=1e-5)
    assert page["length"].measures["importance"] == "length of the representation"

    rows = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = np.corrcoef(rows.numpy())[0]
    np.testing.assert_allclose(page["correlation"](rows, rows[0]).numpy(), expected, atol=1e-12)
    assert page["correlated"].score == pytest.approx(1)
    assert page["correlated"].settings["similarity"] == "correlation"

    assert page["control"].settings["encoder"]["name"] == "random:7"

    sequence = page["sequence"]
    assert sequence.importance.shape == (14,)
    assert "".join(sequence.labels) == "GATTACAGATTACA"
    ticks = page["figure"].axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == list(sequence.labels)
    sequence.save(tmp_path / "sequence.npz")
    assert relax.Explanation.load(tmp_path / "sequence.npz").spans == tuple((n, n + 1) for n in range(14))


def test_the_metric_of_the_page_is_measured(page, tmp_path):
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    values = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(values).save(folder / "noise.png")
    measured = relax.evaluate(
        f"folder:{folder}",
        {"control": relax.load_encoder("random:7")},
        ["random"],
        ["top-share"],
        n=1,
        out=tmp_path / "run",
    )
    (share,) = measured.rows[measured.rows["metric"] == "top-share"]["value"]
    # of n uniform numbers in [0, 1) the largest tenth has mean 0.95, and all have mean 0.5
    assert share == pytest.approx(0.19, abs=0.01)


def test_the_page_names_entry_points_of_the_example(page):
    (packaging,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    shown = tomllib.loads(packaging)["project"]["entry-points"]
    real = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["entry-points"]
    assert shown.items() <= real.items()
