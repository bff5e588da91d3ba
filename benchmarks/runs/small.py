"""A run with a small encoder that writes a shard after every few inputs, to be killed by benchmarks.runs."""

from __future__ import annotations

import sys

import torch

import relax
from relax.runs import running


def main() -> None:
    """``python -m benchmarks.runs.small SOURCE OUT``."""
    torch.set_num_threads(1)
    running.SHARD = 3
    encoder = relax.load_encoder("fashion:untrained", device="cpu")
    relax.run(sys.argv[1], sys.argv[2], encoder, method="relax", n_masks=1024, precision="float32", batch_size=16)


if __name__ == "__main__":
    main()
