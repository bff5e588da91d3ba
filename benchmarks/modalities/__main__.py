"""``python -m benchmarks.modalities --only tables``: figures on stdout, pictures in docs/modalities/."""

from __future__ import annotations

import argparse
import importlib
import warnings

import torch

import relax

PARTS = ("tables", "series", "sound")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part; all by default")
    parser.add_argument("--n", type=int, help="cases of each kind; by default the number in the docs")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", relax.RelaxWarning)
    for part in (options.only,) if options.only else PARTS:
        module = importlib.import_module(f"benchmarks.modalities.{part}")
        print(f"\n{part}")
        for line in module.run(options.n or module.CASES):
            print(f"  {line}", flush=True)
        module.picture().savefig(f"docs/modalities/{part}.png")
        module.pair().savefig(f"docs/modalities/{part}-pair.png")


if __name__ == "__main__":
    main()
