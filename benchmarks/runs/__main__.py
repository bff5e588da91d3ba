"""``relax run`` over 2,000 real pictures, killed again and again, beside the bare encoder: the figures of docs/run.md.

    python -m benchmarks.runs                    # 2,000 pictures, 64 masks, EfficientNet-Lite0: about an hour on a core
    python -m benchmarks.runs --n 100 --kills 2  # a small one
    python -m benchmarks.runs --only kills       # 50 kills of a small encoder, and the rows of one run without

The pictures are the stamps of Tux Paint (`relax data stamps`, GPL-2; photographs and drawings) and clip art of Debian's
openclipart-png (131 MB, public domain). Lives of the run and the bare encoder take turns, on the same threads.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from benchmarks.runs.kills import kills
from benchmarks.runs.lives import measured
from benchmarks.runs.speed import processor, scaling

PARTS = ("kills", "processor", "scaling", "measured")


def main() -> None:
    """Run the parts that were asked for; one JSON object a part on stdout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--n", type=int, default=2000, help="pictures of the measured run")
    parser.add_argument("--masks", type=int, default=64)
    parser.add_argument("--kills", type=int, default=10, help="kills of the measured run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--life", type=float, default=200.0, help="seconds of a life, about")
    parser.add_argument("--out", type=Path, default=Path("relax-out/runs"))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if "kills" in asked.only:
        print(json.dumps({"kills": kills()}), flush=True)
    if "processor" in asked.only:
        print(json.dumps({"processor": processor(asked)}), flush=True)
    if "scaling" in asked.only:
        print(json.dumps({"scaling": scaling(asked)}), flush=True)
    if "measured" in asked.only:
        print(json.dumps({"measured": measured(asked)}), flush=True)


if __name__ == "__main__":
    main()
