"""Rates of bare encoders in PyTorch, ONNX Runtime and OpenVINO, and the differences of their representations.

Everything runs in one process on the same masked inputs, in turns, since the machine's own speed drifts. Each engine
has the batch size that is best for it. ``python -m benchmarks.engines`` prints tables for one and two threads.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from skimage import data
from torch import Tensor

import relax
from benchmarks.timing import BATCHES, rate, timed
from relax.encoders.engines.base import PRECISIONS_OF, installed
from relax.encoders.engines.graph import ROWS, exported
from relax.encoders.engines.runners import runner
from relax.encoders.precision import error_to_spread, fast_precision
from relax.errors import MissingExtraError
from relax.modalities.units import Block

ENCODERS = ("efficientnet-lite0", "augnet-resnet50", "vit-s14-focus")
TURNS = 7
SECONDS = 1.5
CHECKED = 64
"""Masked inputs that are compared."""

Encode = Callable[[Tensor], Tensor]


def masked_inputs(encoder: relax.Encoder, n: int, photograph: Any = None) -> Tensor:
    """``(n, 3, 224, 224)``: a photograph under masks of the default kind, the mean colour as fill."""
    prepared = encoder.prepare(data.chelsea() if photograph is None else photograph)
    units = encoder.modality.masks(None).over(prepared)
    bits = torch.rand(n, units.n_units, generator=torch.Generator().manual_seed(0)) < 0.5
    fill = encoder.modality.fill("mean").bind(prepared, encoder.modality, 0)
    rows = fill.apply(prepared, units, Block(bits.float(), units.middle()))
    return rows.contiguous()


def ways(encoder: relax.Encoder, rows: Tensor, threads: int) -> dict[str, Encode]:
    """All ways to encode a batch, by name; the first is PyTorch in float32."""

    def represent(batch: Tensor) -> Tensor:
        return encoder.pooling(encoder.model(batch), ROWS)

    def in_torch(batch: Tensor, precision: str) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            output = encoder.model(batch.contiguous(memory_format=torch.channels_last))
        return encoder.pooling(output, len(batch)).float()

    low = fast_precision(torch.device("cpu"))
    precisions = ("float32",) if low == "float32" else ("float32", low)
    found: dict[str, Encode] = {f"torch {p}": partial(in_torch, precision=p) for p in precisions}
    graph = exported(encoder.model, represent, rows[:ROWS])
    for engine in installed():
        for precision in precisions:
            if precision in PRECISIONS_OF[engine]:
                found[f"{engine} {precision}"] = runner(engine, graph, precision, threads)
    return found


def rates(name: str, threads: int, turns: int) -> dict[str, Any]:
    """Rates of one encoder, relative to PyTorch in float32 in the same turn, and errors."""
    encoder = relax.load_encoder(name, device="cpu")
    rows = masked_inputs(encoder, CHECKED)
    with torch.no_grad():
        encodes = ways(encoder, rows, threads)
        best = {way: max(BATCHES, key=lambda n, e=e: rate(e, rows[:n], 0.5)) for way, e in encodes.items()}
        measured = [{way: rate(e, rows[: best[way]], SECONDS) for way, e in encodes.items()} for _ in range(turns)]
        outputs = {way: torch.cat([e(part) for part in rows.split(8)]) for way, e in encodes.items()}
    exact = next(iter(encodes))
    found: dict[str, Any] = {}
    for way in encodes:
        values = [turn[way] for turn in measured]
        ratios = [turn[way] / turn[exact] for turn in measured]
        found[way] = {
            "a second": float(np.median(values)),
            "batch": best[way],
            "times": float(np.median(ratios)),
            "range": [min(ratios), max(ratios)],
            "error / spread": error_to_spread(outputs[exact], outputs[way]),
        }
    return found


def engines(threads: int, turns: int = TURNS, names: tuple[str, ...] = ENCODERS) -> dict[str, Any]:
    """Rates of every encoder that is installed, as ``encoder: way`` to figures."""
    relax.keep_memory()  # as the command line does
    found: dict[str, Any] = {}
    for name in names:
        try:
            found |= {f"{name}: {way}": figures for way, figures in rates(name, threads, turns).items()}
        except MissingExtraError as error:
            print(f"{name} is left out: {error}")
    return found


def whole(name: str, turns: int) -> dict[str, tuple[float, str]]:
    """Seconds of explanations of 512 masks by encoders just loaded, export included, as medians, and their engines."""
    found: dict[str, list[tuple[float, str]]] = {"torch": [], "auto": [], "auto, second input": []}
    for _ in range(turns):
        for engine in ("torch", "auto"):
            encoder = relax.load_encoder(name, device="cpu")
            options = {"n_masks": 512, "precision": "float32", "engine": engine}
            e, seconds = timed(relax.explain, encoder, data.chelsea(), **options)
            found[engine].append((seconds, e.settings["engine"]))
        e, seconds = timed(relax.explain, encoder, data.coffee(), **options)
        found["auto, second input"].append((seconds, e.settings["engine"]))
    return {way: (float(np.median([s for s, _ in runs])), runs[-1][1]) for way, runs in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--encoders", nargs="+", default=ENCODERS)
    parser.add_argument("--whole", action="store_true", help="time whole explanations instead")
    options = parser.parse_args()
    if options.whole:
        relax.keep_memory()
        torch.set_num_threads(options.threads[0])
        for name in options.encoders:
            print(name, whole(name, options.turns))
        return
    for threads in options.threads:
        torch.set_num_threads(threads)
        print(f"\n{threads} threads, medians of {options.turns} turns of {SECONDS} s\n")
        print("| encoder: engine | pictures a second | batch | times torch float32 (range) | error / spread |")
        print("|---|---|---|---|---|")
        for name, row in engines(threads, options.turns, tuple(options.encoders)).items():
            least, most = row["range"]
            times = f"{row['times']:.2f} ({least:.2f} to {most:.2f})"
            print(f"| {name} | {row['a second']:.0f} | {row['batch']} | {times} | {row['error / spread']:.1g} |")


if __name__ == "__main__":
    main()
