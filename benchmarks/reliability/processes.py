"""Threads that share a model, processes that are killed, memory over many pictures."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm.auto import tqdm

import relax
from benchmarks.reliability.coverage import Tiny
from benchmarks.reliability.held import Held

METHODS = ("relax", "relax-regression", "smoothgrad", "guided-backprop", "deeplift", "lafam", "kernel-shap", "sobol")
ROUNDS = 4
KILLS = 50
PICTURES = 40
MANY = 3000


def threads() -> Iterator[Held]:
    """Eight threads, one model in train mode, every method: the maps of one thread, and the model as it was."""
    images = [torch.rand(3, 28, 28, generator=torch.Generator().manual_seed(k)) * 2 for k in range(8)]
    for method in METHODS:
        model = nn.Sequential(Tiny().net, nn.Flatten()).train()
        model[0].append(nn.Flatten())
        del model[0][-1]
        explainer = relax.Explainer(model, method=method, max_masks=256)
        expected = [explainer(x).importance for x in images]
        held = 0
        for _ in range(ROUNDS):
            found: dict[int, np.ndarray] = {}
            pool = [threading.Thread(target=_into, args=(found, k, model, method, x)) for k, x in enumerate(images)]
            for thread in pool:
                thread.start()
            for thread in pool:
                thread.join()
            scale = max(np.abs(e).max() for e in expected)
            held += sum(np.allclose(found[k], expected[k], atol=1e-5 * scale) for k in found)
        left = all(module.training for module in model.modules())
        words = "" if left else "the model was left in another mode"
        yield Held(f"8 threads, one model: {method}", 8 * ROUNDS, held if left else 0, words)


def _into(found: dict[int, np.ndarray], k: int, model: nn.Module, method: str, x: torch.Tensor) -> None:
    with warnings.catch_warnings():
        found[k] = relax.explain(model, x, method=method, max_masks=256).importance


def kills() -> Iterator[Held]:
    """``explain FOLDER`` and ``index`` killed at random and started again: all there, once, whole."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        pictures = home / "in"
        pictures.mkdir()
        rng = np.random.default_rng(0)
        for k in range(PICTURES):
            Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(pictures / f"{k:02d}.png")
        common = ["--encoder", "fashion:untrained", "--threads", "1", "--quiet"]
        explain = ["explain", str(pictures), "--out", str(home / "out"), "--method", "relax", "--masks", "2048"]
        yield _killed("explain FOLDER", [*explain, "--skip-existing", *common], lambda: _explained(home / "out"))
        index = ["index", str(pictures), "--out", str(home / "index"), *common]
        yield _killed("index", index, lambda: _indexed(home / "index"))


def _killed(name: str, arguments: list[str], check: object) -> Held:
    """Kill a command again and again, let it end, and count what is there and whole."""
    rng = np.random.default_rng(1)
    command = [sys.executable, "-m", "relax", *arguments]
    done = 0
    for _ in tqdm(range(KILLS), desc=f"kills of {name}", leave=False):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(float(rng.uniform(1.5, 5.0)))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        done += 1
    end = subprocess.run(command, capture_output=True, text=True, check=False)
    whole, left = check()  # type: ignore[operator]
    words = f"exit {end.returncode} at the end; {whole} of {PICTURES} there, {left} leftovers"
    return Held(f"{done} SIGKILLs of {name}: all there once, whole, nothing left over", PICTURES, whole - left, words)


def _explained(out: Path) -> tuple[int, int]:
    whole = 0
    for path in out.glob("*.npz"):
        relax.Explanation.load(path)
        with Image.open(path.with_suffix(".png")) as image:
            image.load()
        whole += 1
    return whole, sum(path.suffix not in (".npz", ".png") for path in out.iterdir())


def _indexed(folder: Path) -> tuple[int, int]:
    index = relax.Index(folder)
    paths = [neighbour.path for neighbour in index.nearest(torch.ones(len(index.about["probe"])), PICTURES * 2)]
    return len(set(paths)), len(paths) - len(set(paths))


def memory() -> Held:
    """Peak memory after 3,000 pictures beside that after 300."""
    rng = np.random.default_rng(0)
    encoder = relax.Encoder(Tiny(), relax.ImageTransform(size=(64, 64)))
    explainer = relax.Explainer(encoder, method="relax", n_masks=256, precision="float32", batch_size=32)
    pictures = (rng.integers(0, 255, (200, 300, 3), dtype=np.uint8) for _ in range(MANY))
    peaks = []
    for number, _ in enumerate(tqdm(explainer.stream(pictures), total=MANY, desc="memory", leave=False), start=1):
        if number in (MANY // 10, MANY):
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    flat = peaks[1] <= 1.05 * peaks[0]
    words = f"peak {peaks[0]:.0f} MiB after {MANY // 10}, {peaks[1]:.0f} MiB after {MANY:,}"
    return Held(f"memory over {MANY:,} pictures flat within 5 %", 1, int(flat), words)
