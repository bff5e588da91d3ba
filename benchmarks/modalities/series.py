"""A planted anomaly: is it what makes the series itself rather than what it was before?

A real series x gets a bump in one place, one channel of another class, or a wave of one frequency. The result differs
from x only there: explained against itself with x as foil, that segment, channel or band must come out on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import relax
from benchmarks.modalities.counting import share

CASES = 200
SLOW_CASES = 40
"""Cases of the encoder that takes a tenth of a second a series."""

SEED = 0
UNITS = 16
HEIGHT = 2.0
"""Height of a bump and amplitude of a wave, in standard deviations of the series."""

MASKS = 128


def read(name: str, part: str) -> tuple[Tensor, np.ndarray]:
    """Series ``(N, C, T)`` and their classes from aeon's wheel."""
    folder = Path(next(iter(find_spec("aeon").submodule_search_locations))) / "datasets" / "data" / name
    lines = (folder / f"{name}_{part}.ts").read_text(encoding="utf-8").lower().partition("@data")[2].split()
    rows = [line.split(":") for line in lines]
    series = [[[float(value) for value in channel.split(",")] for channel in row[:-1]] for row in rows]
    return torch.tensor(series), np.unique([row[-1] for row in rows], return_inverse=True)[1]


def trained(name: str) -> relax.Encoder:
    """A network of three convolutions, trained to tell the classes apart; its pooled last layer is the encoder."""
    series, classes = read(name, "TRAIN")
    torch.manual_seed(SEED)
    trunk = nn.Sequential(
        nn.Conv1d(series.shape[1], 32, 7, padding=3),
        nn.ReLU(),
        nn.Conv1d(32, 32, 5, padding=2),
        nn.ReLU(),
        nn.Conv1d(32, 32, 5, padding=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
    )
    head = nn.Linear(32, int(classes.max()) + 1)
    optimiser = torch.optim.Adam([*trunk.parameters(), *head.parameters()], 3e-3)
    for _ in range(300):
        optimiser.zero_grad()
        nn.functional.cross_entropy(head(trunk(series)), torch.from_numpy(classes)).backward()
        optimiser.step()
    held, truth = read(name, "TEST")
    with torch.no_grad():
        right = (head(trunk(held)).argmax(1).numpy() == truth).tolist()
    print("  " + share(f"{name}: the network's accuracy on the test half", right))
    return relax.Encoder(trunk, modality="series", name=f"{name} network")


def bump(series: Tensor, rng: np.random.Generator) -> tuple[Tensor, tuple[int, int]]:
    """A half wave as long as a unit, anywhere, up or down."""
    length = series.shape[1]
    width = length // UNITS
    start = int(rng.integers(length - width))
    shape = torch.sin(torch.linspace(0, np.pi, width))
    planted = series.clone()
    planted[:, start : start + width] += float(rng.choice([-1, 1])) * HEIGHT * series.std() * shape
    return planted, (start, start + width)


def overlapping(e: relax.Explanation, span: tuple[int, int]) -> list[bool]:
    """Whether each unit shares a quarter of the span or more."""
    quarter = (span[1] - span[0]) / 4
    return [min(stop, span[1]) - max(start, span[0]) >= quarter for start, stop in e.spans]


def segments(encoder: relax.Encoder, data: str, n: int, fill: str, foil: bool) -> tuple[list[bool], float]:
    """Whether the strongest segment is at the bump, in each case; and by chance."""
    rng, (series, _) = np.random.default_rng(SEED), read(data, "TEST")
    hits, chances = [], []
    for _ in range(n):
        x = series[int(rng.integers(len(series)))]
        planted, span = bump(x, rng)
        against = relax.Corpus([planted], foil=[x]) if foil else None
        masks = relax.SegmentMasks(segments=UNITS)
        e = relax.explain(encoder, planted, against, masks=masks, fill=fill, n_masks=MASKS)
        there = overlapping(e, span)
        hits.append(there[int(np.argmax(e.effect))])
        chances.append(float(np.mean(there)))
    return hits, float(np.mean(chances))


def largest(data: str, n: int) -> list[bool]:
    """Control: the segment with the sample that is farthest from the mean."""
    rng, (series, _) = np.random.default_rng(SEED), read(data, "TEST")
    hits = []
    for _ in range(n):
        planted, (start, stop) = bump(series[int(rng.integers(len(series)))], rng)
        hits.append(start <= int((planted - planted.mean()).abs().argmax()) < stop)
    return hits


def channels(encoder: relax.Encoder, n: int) -> list[bool]:
    """Whether the strongest channel is the one that comes from a series of another class."""
    rng, (series, classes) = np.random.default_rng(SEED), read("BasicMotions", "TEST")
    hits = []
    while len(hits) < n:
        one, other = rng.choice(len(series), 2, replace=False)
        if classes[one] == classes[other]:
            continue
        place = int(rng.integers(series.shape[1]))
        planted = series[one].clone()
        planted[place] = series[other][place]
        e = relax.explain(encoder, planted, relax.Corpus([planted], foil=[series[one]]), masks="channels")
        hits.append(int(np.argmax(e.effect)) == place)
    return hits


def bands(encoder: relax.Encoder, n: int) -> list[bool]:
    """Whether the strongest band is that of the wave."""
    rng, (series, _) = np.random.default_rng(SEED), read("GunPoint", "TEST")
    hits, length = [], series.shape[2]
    for _ in range(n):
        x = series[int(rng.integers(len(series)))]
        frequency = int(rng.integers(5, length // 2))
        wave = torch.sin(2 * np.pi * frequency * torch.arange(length) / length + float(rng.uniform(0, 6.28)))
        planted = x + HEIGHT * x.std() * wave
        masks = relax.BandMasks(bands=UNITS)
        e = relax.explain(encoder, planted, relax.Corpus([planted], foil=[x]), masks=masks, n_masks=MASKS)
        start, stop = e.spans[int(np.argmax(e.effect))]
        hits.append(start <= frequency < stop)
    return hits


def run(n: int) -> Iterator[str]:
    """Lines of figures."""
    network = trained("GunPoint")
    for fill in ("mean", "linear", "noise"):
        hits, chance = segments(network, "GunPoint", n, fill, True)
        yield share(f"GunPoint network, fill {fill}, rather than before: segment of the bump", hits, chance)
    hits, chance = segments(network, "GunPoint", n, "linear", False)
    yield share("GunPoint network, fill linear, no foil: segment of the bump", hits, chance)
    yield share("control: the sample farthest from the mean", largest("GunPoint", n))
    fracast, few = relax.load_encoder("series:fracast", device="cpu"), min(n, SLOW_CASES)
    hits, chance = segments(fracast, "GunPoint", few, "linear", True)
    yield share("series:fracast, fill linear, rather than before: segment of the bump", hits, chance)
    yield share("GunPoint network, fill mean, rather than before: band of the wave", bands(network, n), 1 / UNITS)
    yield share(
        "BasicMotions network, rather than before: the foreign channel", channels(trained("BasicMotions"), n), 1 / 6
    )


def picture() -> Figure:
    """One bump."""
    rng, (series, _) = np.random.default_rng(3), read("GunPoint", "TEST")
    planted, _ = bump(series[0], rng)
    against: Any = relax.Corpus([planted], foil=[series[0]])
    masks = relax.SegmentMasks(segments=UNITS)
    e = relax.explain(trained("GunPoint"), planted, against, masks=masks, fill="linear", n_masks=MASKS)
    return e.plot()
