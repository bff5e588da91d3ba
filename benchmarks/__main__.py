"""One run, side by side: prints a table, and writes it as JSON."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from relax_xai.relax import RELAX
from skimage import data
from torch import Tensor, nn

import relax
from relax.masks import GridMasks

MASKS = GridMasks(7, offsets="relax-xai")
HERE = Path(__file__).parent


def rate(model: nn.Module, batch: Tensor, seconds: float = 3.0) -> float:
    """Images a second of the bare encoder."""
    with torch.no_grad():
        model(batch)
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            model(batch)
            done += len(batch)
        return done / (time.perf_counter() - began)


def bare(encoder: relax.Encoder, x: Tensor) -> tuple[float, int]:
    """The bare encoder at its best batch size, channels-last float32."""
    rates = {
        n: rate(encoder.model, x.repeat(n, 1, 1, 1).contiguous(memory_format=torch.channels_last))
        for n in (2, 4, 8, 16, 32)
    }
    best = max(rates, key=rates.__getitem__)
    return rates[best], best


def errors(importance: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Root mean square error, as it is and of the centred map."""
    difference = importance - truth
    return float(np.sqrt(np.mean(difference**2))), float(difference.std())


def peer(encoder: relax.Encoder, x: Tensor, seed: int) -> tuple[np.ndarray, float]:
    """relax-xai at its defaults: 30 batches of 100 masks."""
    torch.manual_seed(seed)
    began = time.perf_counter()
    with torch.no_grad():
        run = RELAX(x[None].contiguous(), encoder.model)
        run()
    return run.importance.numpy(), time.perf_counter() - began


def peak_memory(n_masks: int) -> float:
    """Peak resident memory in MiB of a process that explains one picture with that many masks on a small encoder."""
    code = (
        "import pathlib, torch, relax; torch.set_num_threads(1); torch.manual_seed(0);"
        "m = torch.nn.Conv2d(3, 8, 7, stride=7);"
        f"relax.explain(m, torch.rand(3, 224, 224), n_masks={n_masks}, batch_size=16);"
        # not ru_maxrss, which a child inherits from its parent
        "status = pathlib.Path('/proc/self/status').read_text();"
        "print(int(status.split('VmHWM:')[1].split()[0]) / 1024)"
    )
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def wall(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", type=int, default=2, help="runs of relax-xai")
    parser.add_argument("--converged", type=int, default=16384, help="masks of the converged map")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    encoder = relax.load_encoder("efficientnet-lite0", device="cpu")
    x = encoder.prepare(data.chelsea()).tensor
    bare_rate, bare_batch = bare(encoder, x[None])
    relax.explain(encoder, x, masks=MASKS, n_masks=256)  # settles the batch size
    began = time.perf_counter()
    n = relax.explain(encoder, x, masks=MASKS, n_masks=512, seed=1).n_masks
    ours_rate = n / (time.perf_counter() - began)
    bare_again, _ = bare(encoder, x[None])
    bare_rate = max(bare_rate, bare_again)

    truth = relax.explain(encoder, x, masks=MASKS, n_masks=options.converged, seed=10_000).importance
    runs = [peer(encoder, x, seed) for seed in range(options.peers)]
    peer_seconds = float(np.mean([seconds for _, seconds in runs]))
    peer_errors = np.sqrt(np.mean([np.square(errors(m, truth)) for m, _ in runs], axis=0))

    rows = []
    for masks in (128, 256, 384, 512, 768, 1024):
        made = []
        for seed in range(1, 5):
            began = time.perf_counter()
            e = relax.explain(encoder, x, masks=MASKS, n_masks=masks, seed=seed)
            made.append((*errors(e.importance, truth), time.perf_counter() - began))
        raw, centred = np.sqrt(np.mean(np.square([m[:2] for m in made]), axis=0))
        rows.append(
            {"masks": masks, "error": raw, "centred_error": centred, "seconds": float(np.mean([m[2] for m in made]))}
        )

    def first(key: str, limit: float) -> dict[str, float] | None:
        return next((row for row in rows if row[key] <= limit), None)

    results = {
        "machine": {"processor": platform.machine(), "threads": options.threads, "torch": torch.__version__},
        "masks_a_second": {
            "bare encoder": bare_rate,
            "bare batch": bare_batch,
            "relax.explain": ours_rate,
            "share of bare": ours_rate / bare_rate,
            "relax-xai": 3000 / peer_seconds,
        },
        "relax-xai, 3000 masks": {
            "error": peer_errors[0],
            "centred_error": peer_errors[1],
            "seconds": peer_seconds,
            "runs": options.peers,
        },
        "relax, 4 seeds": rows,
        "to equal error": {
            key: None
            if row is None
            else {
                "masks": row["masks"],
                "fewer masks": 3000 / row["masks"],
                "times less time": peer_seconds / row["seconds"],
            }
            for key, row in (
                ("error", first("error", peer_errors[0])),
                ("centred_error", first("centred_error", peer_errors[1])),
            )
        },
        "peak_MiB": {"1000 masks": peak_memory(1000), "20000 masks": peak_memory(20000)},
    }
    script = str(Path(sys.executable).with_name("relax"))
    with tempfile.TemporaryDirectory() as folder:
        photo = str(Path(folder) / "photo.jpg")
        from PIL import Image

        Image.fromarray(data.chelsea()).save(photo)
        results["seconds"] = {
            "relax --help": min(wall([script, "--help"]) for _ in range(3)),
            "relax explain photo.jpg": wall(
                [script, "explain", photo, "--out", folder, "--quiet", "--threads", str(options.threads)]
            ),
        }
    (HERE / "results.json").write_text(json.dumps(results, indent=2, default=float) + "\n")
    for name, section in results.items():
        print(f"\n{name}")
        for line in section.items() if isinstance(section, dict) else enumerate(section):
            print("  ", *line)


if __name__ == "__main__":
    main()
