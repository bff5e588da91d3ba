"""What int8 for the masked versions costs a map: ``python -m benchmarks.int8``.

The encoder's graph is quantised by ONNX Runtime (QDQ, weights by channel, ranges of activations from masked versions
of other photographs). The unmasked input is encoded in float32, masked ones in int8. A map in int8 is compared with the
one in float32 from the same masks, and that with one from other masks, which is the error that masks leave anyway.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage import data
from torch import Tensor

import relax
from benchmarks.engines import masked_inputs
from benchmarks.timing import BATCHES, rate
from relax.encoders.engines.graph import ROWS, exported
from relax.encoders.engines.runners import OnnxRuntime
from relax.encoders.precision import error_to_spread

N_MASKS = 512
CALIBRATION = 64
PHOTOGRAPHS = ("chelsea", "coffee", "astronaut", "rocket")


def quantised(graph: bytes, rows: Tensor, skip: tuple[str, ...]) -> bytes:
    """The graph in int8.

    Args:
        graph: the graph in float32.
        rows: inputs that the ranges of activations are taken from.
        skip: operators that stay in float32.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.batches: Iterator[Tensor] = iter(rows.split(8))

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"rows": batch.numpy()}

    operators = [name for name in ("Conv", "MatMul", "Gemm", "Add", "Clip", "Relu") if name not in skip]
    with tempfile.TemporaryDirectory() as folder:
        whole, ready, small = (Path(folder) / f"{name}.onnx" for name in ("whole", "ready", "small"))
        whole.write_bytes(graph)
        quant_pre_process(str(whole), str(ready))
        quantize_static(
            str(ready),
            str(small),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            op_types_to_quantize=operators,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return small.read_bytes()


class Replaced:
    """A callable encoder: the first row of a run in float32, all others in int8."""

    def __init__(self, exact: Any, fast: Any) -> None:
        self.exact, self.fast, self.seen = exact, fast, 0

    def __call__(self, batch: Tensor) -> Tensor:
        first, self.seen = self.seen == 0, self.seen + len(batch)
        found: Tensor = (self.exact if first else self.fast)(batch.contiguous())
        return found


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--encoder", default="efficientnet-lite0")
    parser.add_argument("--skip", nargs="*", default=[], help="operators that stay in float32")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    relax.keep_memory()
    logging.disable(logging.WARNING)
    encoder = relax.load_encoder(options.encoder, device="cpu")

    def represent(batch: Tensor) -> Tensor:
        return encoder.pooling(encoder.model(batch), ROWS)

    rows = masked_inputs(encoder, CALIBRATION)
    other = torch.cat([masked_inputs(encoder, 32, getattr(data, name)()) for name in PHOTOGRAPHS[1:]])
    graph = exported(encoder.model, represent, rows[:ROWS])
    exact = OnnxRuntime(graph, "float32", options.threads)
    fast = OnnxRuntime(quantised(graph, other, tuple(options.skip)), "float32", options.threads)
    rates = [max(rate(run, rows[:n], 1.0) for n in BATCHES) for run in (exact, fast)]
    print(f"{options.encoder}: float32 {rates[0]:.0f} a second, int8 {rates[1]:.0f}, {rates[1] / rates[0]:.2f} times")
    print(f"error of representations over their spread: {error_to_spread(exact(rows), fast(rows)):.3f}")
    print("| photograph | int8 and float32, same masks | float32, other masks | RMS difference over the SE: int8 |")
    print("|---|---|---|---|")
    for name in PHOTOGRAPHS:
        x = encoder.prepare(getattr(data, name)()).tensor

        def run(by: Any, seed: int, x: Tensor = x) -> Any:
            wrapped = relax.Encoder(Replaced(exact, by), name="replaced", transform=encoder.transform)
            return relax.explain(wrapped, x, n_masks=N_MASKS, seed=seed, batch_size=8, precision="float32")

        one, two, low = run(exact, 0), run(exact, 1), run(fast, 0)
        difference = np.sqrt(np.mean((low.importance - one.importance) ** 2) / np.mean(one.standard_error**2))
        same, others = correlation(low.importance, one.importance), correlation(two.importance, one.importance)
        print(f"| {name} | {same:.4f} | {others:.4f} | {difference:.2f} |")


if __name__ == "__main__":
    main()
