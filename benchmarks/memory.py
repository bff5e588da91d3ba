"""What keeping freed memory brings an encoder on a CPU: ``python -m benchmarks.memory``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import numpy as np

TURNS = 5
SIZES = (4, 8, 16)

CODE = """
import json, resource, sys, torch, relax
from benchmarks.timing import rate
kept, threads, name = sys.argv[1] == "True", int(sys.argv[2]), sys.argv[3]
if kept:
    relax.keep_memory()
torch.set_num_threads(threads)
model = relax.load_encoder(name, device="cpu").model
batch = torch.randn(16, 3, 224, 224).contiguous(memory_format=torch.channels_last)
found = {n: rate(model, batch[:n], 1.5) for n in map(int, sys.argv[4:])}
print(json.dumps([found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--encoder", default="efficientnet-lite0")
    options = parser.parse_args()
    rates: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    peaks: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(TURNS):  # a process of its own each, in turns
        for kept in (False, True):
            arguments = [str(kept), str(options.threads), options.encoder, *map(str, SIZES)]
            done = subprocess.run([sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, check=True)
            found, peak = json.loads(done.stdout)
            rates[kept].append(found)
            peaks[kept].append(peak)
    print(f"{options.encoder}, float32, {options.threads} threads; median of {TURNS} processes (least to most)\n")
    print("| batch | pictures a second | with keep_memory() |\n|---|---|---|")
    for size in SIZES:
        cells = []
        for kept in (False, True):
            values = [found[str(size)] for found in rates[kept]]
            cells.append(f"{np.median(values):.0f} ({min(values):.0f} to {max(values):.0f})")
        print(f"| {size} | {' | '.join(cells)} |")
    print(f"| peak MiB | {np.median(peaks[False]):.0f} | {np.median(peaks[True]):.0f} |")


if __name__ == "__main__":
    main()
