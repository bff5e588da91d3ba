"""Matching: does a pair map point at what the pictures share, and what does it cost? Run with ``make match``.

Prints tables and writes benchmarks/results-matching.json and the pictures of docs/match.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.stats import bootstrap
from skimage import data

import relax
from benchmarks.timing import peak_memory, rate
from relax.datasets import open_dataset
from relax.retrieval.index import TABLE

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs" / "match"
PARTS = ("pointing", "pairs", "index", "query")
GREY = (128, 128, 128)
TURNS = 7
INDEXED = {"efficientnet-lite0": 512, "augnet-resnet50": 64}
"""Pictures that each encoder indexes in a turn."""

SETTLING = 512
"""Pictures that are indexed before, by which a batch size is found."""


def portrait(sample: Any, number: int, size: int = 224) -> Image.Image:
    """One object of a scene alone, mirrored, large on grey: no pixel is where it was."""
    item = sample.objects[number]
    left, top, right, bottom = item.box
    alone = np.where(item.mask[..., None], np.asarray(sample.picture), np.array(GREY, dtype=np.uint8))
    cut = Image.fromarray(alone[top:bottom, left:right].astype(np.uint8)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale = 0.7 * size / max(cut.size)
    cut = cut.resize((round(cut.width * scale), round(cut.height * scale)), Image.Resampling.LANCZOS)
    picture = Image.new("RGB", (size, size), GREY)
    picture.paste(cut, ((size - cut.width) // 2, (size - cut.height) // 2))
    return picture


def pointing(encoder: relax.Encoder, n: int, n_masks: int) -> dict[str, Any]:
    """Scenes of two or three objects against a picture of one of them: on which object is the map's mean largest?"""
    dataset = open_dataset("stamps:several")
    rows = []
    for index in range(n):
        sample = dataset[index]
        number = index % len(sample.objects)
        e = relax.explain(
            encoder, sample.picture, portrait(sample, number), method="relax", n_masks=n_masks, seed=index
        )
        plain = relax.explain(encoder, sample.picture, method="relax", n_masks=n_masks, seed=index)
        means = [float(e.effect[item.mask].mean()) for item in sample.objects]
        without = [float((plain.importance - plain.neutral)[item.mask].mean()) for item in sample.objects]
        peak = np.unravel_index(int(np.argmax(e.effect)), e.effect.shape)
        rows.append(
            {
                "objects": len(sample.objects),
                "right": int(np.argmax(means)) == number,
                "right without a reference": int(np.argmax(without)) == number,
                "peak on it": bool(sample.objects[number].mask[peak]),
            }
        )
        if index == 0:
            DOCS.mkdir(parents=True, exist_ok=True)
            pair = relax.match(encoder, sample.picture, portrait(sample, number), regions=True, n_masks=n_masks)
            pair.plot(DOCS / "pair.png")
    found: dict[str, Any] = {"scenes": n, "masks": n_masks, "encoder": encoder.name}
    for name in ("right", "right without a reference", "peak on it"):
        values = np.array([row[name] for row in rows], dtype=float)
        interval = bootstrap((values,), np.mean, rng=0, method="percentile").confidence_interval
        found[name] = [float(values.mean()), float(interval.low), float(interval.high)]
    found["chance"] = float(np.mean([1 / row["objects"] for row in rows]))
    return found


def pairs(encoder: relax.Encoder) -> dict[str, Any]:
    """Both directions beside one map, in turns, with as many masks each."""
    a, b = data.chelsea(), data.coffee()
    relax.explain(encoder, a, method="relax", n_masks=256)
    ratios: dict[str, list[float]] = {"both directions over one map": [], "and regions": []}
    for turn in range(TURNS):
        took = []
        for work in (
            lambda: relax.explain(encoder, a, method="relax", n_masks=512, seed=turn),  # noqa: B023
            lambda: relax.match(encoder, a, b, n_masks=512, seed=turn),  # noqa: B023
            lambda: relax.match(encoder, a, b, regions=True, n_masks=512, seed=turn),  # noqa: B023
        ):
            began = time.perf_counter()
            work()
            took.append(time.perf_counter() - began)
        ratios["both directions over one map"].append(took[1] / took[0])
        ratios["and regions"].append(took[2] / took[0])
    return {name: [float(np.median(v)), float(min(v)), float(max(v))] for name, v in ratios.items()}


def indexing(threads: int) -> dict[str, Any]:
    """Pictures a second into an index, beside the bare encoder and beside reading alone; memory of two sizes."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pictures"
        folder.mkdir()
        photographs = [data.chelsea(), data.coffee(), data.astronaut(), data.rocket()]
        for number in range(1024):
            picture = Image.fromarray(photographs[number % 4]).resize((320, 240))
            picture.save(folder / f"{number:04d}.jpg", quality=90 - number % 20)
        files = sorted(folder.iterdir())

        def some(n: int) -> Path:
            part = Path(name) / f"{n}"
            if not part.exists():
                part.mkdir()
                for file in files[:n]:
                    (part / file.name).hardlink_to(file)
            return part

        for encoder_name, n in INDEXED.items():
            encoder = relax.load_encoder(encoder_name, device="cpu")

            def add(n: int, turn: int, encoder: relax.Encoder = encoder) -> float:
                index = relax.Index.create(Path(name) / f"{encoder.name}-{n}-{turn}", encoder)
                began = time.perf_counter()
                index.add(encoder, some(n), precision="float32")
                return n / (time.perf_counter() - began)

            add(SETTLING, -1)  # settles the batch size
            size = next(iter(encoder.batch_sizes.values()))
            batch = torch.stack([encoder.prepare(file).tensor for file in files[:size]])
            batch = batch.contiguous(memory_format=torch.channels_last)
            bare, reading, whole = [], [], []
            for turn in range(TURNS):
                bare.append(rate(encoder.model, batch))
                began = time.perf_counter()
                for file in files[:128]:
                    encoder.prepare(file)
                reading.append(128 / (time.perf_counter() - began))
                whole.append(add(n, turn))
                bare[-1] = 2 / (1 / bare[-1] + 1 / rate(encoder.model, batch))  # before and after: the machine drifts
            ratios = np.array(whole) / np.array(bare)
            bound = 1 / (1 + np.array(bare) / np.array(reading))
            found[f"{encoder_name}, bare, pictures a second"] = float(np.median(bare))
            found[f"{encoder_name}, reading in one thread"] = float(np.median(reading))
            found[f"{encoder_name}, index"] = float(np.median(whole))
            found[f"{encoder_name}, index over bare (median, least, most)"] = [
                float(np.median(ratios)),
                float(ratios.min()),
                float(ratios.max()),
            ]
            found[f"{encoder_name}, what reading in turns leaves of bare"] = float(np.median(bound))
        for n in (256, 1024):
            found[f"peak memory in MiB, {n} pictures"] = peak_memory(
                "import torch, relax\n"
                f"torch.set_num_threads({threads})\n"
                f"e = relax.load_encoder('efficientnet-lite0'); i = relax.Index.create(r'{name}/memory-{n}', e)\n"
                f"i.add(e, r'{some(n)}')"
            )
    return found


def querying(n: int = 100_000, length: int = 1280) -> dict[str, Any]:
    """Milliseconds for the nearest five of synthetic vectors, in an index that is open."""
    import lancedb
    import pyarrow

    with tempfile.TemporaryDirectory() as name:
        encoder = relax.Encoder(lambda batch: batch.flatten(1)[:, :length], relax.ImageTransform(size=(32, 32)))
        folder = Path(name) / "index"
        relax.Index.create(folder, encoder)
        table = lancedb.connect(folder).open_table(TABLE)  # vectors without files, which Index.add() does not take
        rng = np.random.default_rng(0)
        for start in range(0, n, 5000):
            vectors = rng.standard_normal((5000, length), dtype=np.float32)
            columns = {
                "path": [str(start + i) for i in range(5000)],
                "size": [0] * 5000,
                "modified": [0] * 5000,
                "vector": pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.ravel()), length),
            }
            table.add(pyarrow.table(columns))
        index = relax.Index(folder)
        query = rng.standard_normal(length, dtype=np.float32)
        took = []
        for _ in range(12):
            began = time.perf_counter()
            index.nearest(torch.from_numpy(query), 5)
            took.append(1000 * (time.perf_counter() - began))
    return {
        f"first query of {n} vectors of {length}, ms (reads them)": took[0],
        "later ones, ms (median, least, most)": [float(np.median(took[1:])), min(took[1:]), max(took[1:])],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--n", type=int, default=48, help="scenes")
    parser.add_argument("--masks", type=int, default=384)
    parser.add_argument("--only", choices=PARTS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    relax.keep_memory()
    warnings.simplefilter("ignore", relax.RelaxWarning)
    encoder = relax.load_encoder("efficientnet-lite0", device="cpu")
    found: dict[str, Any] = {}
    for part in (options.only,) if options.only else PARTS:
        if part == "pointing":
            found[part] = pointing(encoder, options.n, options.masks)
        elif part == "pairs":
            found[part] = pairs(encoder)
        elif part == "index":
            found[part] = indexing(options.threads)
        else:
            found[part] = querying()
    name = f"results-matching-{options.only}.json" if options.only else "results-matching.json"
    (HERE / name).write_text(json.dumps(found, indent=2) + "\n")
    for part, rows in found.items():
        print(f"\n{part}")
        for label, value in rows.items():
            shown = value if isinstance(value, (str, int)) else np.round(value, 4).tolist()
            print(f"  {label:<55} {shown}")


if __name__ == "__main__":
    main()
