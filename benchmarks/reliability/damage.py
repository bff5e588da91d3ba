"""Files that are damaged or oddly named, and models of many forms."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

import relax
from benchmarks.reliability.coverage import Tiny
from benchmarks.reliability.held import Held
from relax.runs.files import explain_files
from relax.runs.naming import targets_of

MUTATIONS = 5000
PICTURES = 100
BITS = ["$", "\\", "\n", "\t", "'", '"', "%s", "{}", "🙂", "文字", "ä", " ", "#", "?", "&", ";", "|", "`", "-", "~"]


def damaged_explanations(n: int = MUTATIONS) -> Held:
    """Saved explanations with bytes changed or cut: one kind of error, one line, or a valid result."""
    rng = np.random.default_rng(0)
    x = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2
    held, refused = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.npz"
        relax.explain(Tiny(), x, method="relax", n_masks=256).save(path)
        whole = path.read_bytes()
        for _ in range(n):
            content = bytearray(whole)
            for place in rng.integers(0, len(content), rng.integers(1, 9)):
                content[place] = rng.integers(256)
            path.write_bytes(content[: rng.integers(0, len(content))] if rng.random() < 0.2 else content)
            try:
                relax.Explanation.load(path)
                held += 1
            except relax.InputError as error:
                refused += 1
                held += "\n" not in str(error)
            except Exception as error:  # what a user would have seen as a traceback
                print(f"damaged explanation: {type(error).__name__}: {error}")
    return Held("damaged explanations: one line, or a valid result", n, held, f"{refused} refused")


def damaged_pictures(n: int = PICTURES) -> Held:
    """Damaged pictures of several formats in a folder: each is named, the others are explained."""
    rng = np.random.default_rng(1)
    explainer = _explainer()
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for k in range(n):
            path = Path(folder) / f"{k:03d}.{('png', 'jpg', 'gif', 'tif', 'webp')[k % 5]}"
            Image.fromarray(rng.integers(0, 255, (24, 30, 3), dtype=np.uint8)).save(path)
            content = bytearray(path.read_bytes())
            for place in rng.integers(0, len(content), 20):
                content[place] = rng.integers(256)
            path.write_bytes(content[: len(content) // (1 + k % 3)])
            paths.append(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = list(explain_files(explainer, targets_of(paths, Path(folder) / "out")))
    failed = [r for r in results if isinstance(r, relax.Failed)]
    held = sum(str(r.source) in str(r.error) and "\n" not in str(r.error) for r in failed) + len(results) - len(failed)
    return Held("damaged pictures in a folder: named in one line, the others done", n, held, f"{len(failed)} refused")


def odd_names(n: int = 60) -> Held:
    """Names with mathematics, control characters, other alphabets, or bytes that are no text."""
    rng = np.random.default_rng(2)
    explainer = _explainer()
    held = 0
    with tempfile.TemporaryDirectory() as folder:
        for k in range(n):
            name = "".join(rng.choice(BITS, 4)) + str(k)
            raw = os.fsencode(name) + (b"\xff" if k % 10 == 0 else b"") + b".png"
            path = Path(os.fsdecode(os.fsencode(folder) + b"/" + raw))
            Image.fromarray(rng.integers(0, 255, (24, 30, 3), dtype=np.uint8)).save(path)
            (target,) = targets_of([path], Path(folder) / "out")
            with contextlib.suppress(relax.RelaxError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                list(explain_files(explainer, [target]))
                held += relax.Explanation.load(target.files[1]).settings["input"]["source"] == str(path)
    return Held("odd file names: explained, saved, shown", n, held)


@dataclass
class _Output:
    embedding: torch.Tensor


def models() -> Held:
    """Models in many forms: explained, or refused in one line."""
    forms = _forms()
    x = torch.rand(3, 28, 28, generator=torch.Generator().manual_seed(0)) * 2
    held, refused = 0, []
    for name, make in forms.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                e = relax.explain(make(), x, method="relax", n_masks=256)
            held += bool(np.isfinite(e.importance).all())
        except relax.RelaxError as error:
            held += "\n" not in str(error)
            refused.append(name)
        except Exception as error:  # what a user would have seen as a traceback
            print(f"model {name}: {type(error).__name__}: {error}")
    note = f"refused: {', '.join(refused)}"
    return Held("forms of models: explained, or refused in one line", len(forms), held, note)


def _forms() -> dict[str, Callable[[], Any]]:
    def through(change: Callable[[nn.Module, torch.Tensor], Any]) -> Callable[[], Any]:
        model = Tiny().eval()
        return lambda: lambda x: change(model, x)

    def half(kind: torch.dtype) -> Callable[[], Any]:
        return lambda: Tiny().eval().to(kind)

    shapes = ({0: torch.export.Dim("batch")},)
    raising = {
        "raises KeyError": KeyError("b"),
        "raises a RuntimeError": RuntimeError("of two\nlines"),
        "raises StopIteration": StopIteration("done"),
        "raises MemoryError": MemoryError("no more"),
    }

    def fails(error: BaseException) -> Callable[[], Any]:
        def model(x: torch.Tensor) -> Any:
            raise error

        return lambda: model

    return {
        "module": lambda: Tiny(),
        "train mode": lambda: Tiny().train(),
        "callable": through(lambda m, x: m(x)),
        "numpy output": through(lambda m, x: m(x).detach().numpy()),
        "tuple output": through(lambda m, x: (m(x), x)),
        "dict output": through(lambda m, x: {"embedding": m(x)}),
        "dataclass output": through(lambda m, x: _Output(m(x))),
        "sparse output": through(lambda m, x: m(x).to_sparse()),
        "map output": through(lambda m, x: m.net(x)),  # type: ignore[operator]
        "token output": through(lambda m, x: m.net(x).flatten(2).mT),  # type: ignore[operator]
        "scripted": lambda: torch.jit.script(Tiny().eval()),
        "frozen": lambda: torch.jit.freeze(torch.jit.script(Tiny().eval())),
        "traced": lambda: torch.jit.trace(Tiny().eval(), torch.rand(2, 3, 28, 28)),
        "exported": lambda: torch.export.export(
            Tiny().eval(), (torch.rand(2, 3, 28, 28),), dynamic_shapes=shapes
        ).module(),
        "compiled": lambda: torch.compile(Tiny().eval(), backend="eager"),
        "bfloat16": half(torch.bfloat16),
        "float64": half(torch.float64),
        "in place": through(lambda m, x: m(x.sub_(0.5).div_(0.2))),
        "one row at a time": through(lambda m, x: m(x)[0] if len(x) == 1 else m(None)),  # type: ignore[arg-type]
        "meta device": lambda: Tiny().to("meta"),
        "NaN output": through(lambda m, x: m(x) * float("nan")),
        "constant output": through(lambda m, x: torch.ones(len(x), 4)),
        "complex output": through(lambda m, x: torch.fft.fft(m(x))),
        "scalar output": through(lambda m, x: m(x).mean()),
        "string output": through(lambda m, x: "text"),
        **{name: fails(error) for name, error in raising.items()},
    }


def _explainer() -> relax.Explainer:
    encoder = relax.Encoder(Tiny(), relax.ImageTransform(size=(28, 28)))
    return relax.Explainer(encoder, method="relax", n_masks=256, precision="float32")


def damage() -> Iterator[Held]:
    """Every line of this part."""
    yield damaged_explanations()
    yield damaged_pictures()
    yield odd_names()
    yield models()
