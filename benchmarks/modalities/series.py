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
from relax.retrieval import Matcher

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


def trained(name: str, scaled: bool = False) -> relax.Encoder:
    """A network of three convolutions, trained to tell the classes apart; its pooled last layer is the encoder.

    Args:
        name: name of the data.
        scaled: whether each channel is divided by its standard deviation over the training half first.
    """
    series, classes = read(name, "TRAIN")
    spread = series.std((0, 2), keepdim=True)[0] if scaled else torch.ones(series.shape[1], 1)
    torch.manual_seed(SEED)
    trunk = nn.Sequential(
        Scaled(1 / spread),
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
    title = f"{name}{', scaled channels' if scaled else ''}: the network's accuracy on the test half"
    print("  " + share(title, right))
    return relax.Encoder(trunk, modality="series", name=f"{name} network")


class Scaled(nn.Module):
    """Channels times factors, ``(C, 1)``."""

    def __init__(self, factors: Tensor) -> None:
        super().__init__()
        self.register_buffer("factors", factors)

    def forward(self, series: Tensor) -> Tensor:
        return series * self.get_buffer("factors")


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


def answered(encoder: relax.Encoder, n: int) -> list[bool]:
    """Whether the segments of two bumps, one in each of two series, answer each other most."""
    rng, (series, _) = np.random.default_rng(SEED), read("GunPoint", "TEST")
    matcher = Matcher(encoder, regions=True, masks=relax.SegmentMasks(segments=UNITS), fill="linear", n_masks=MASKS)
    hits = []
    for _ in range(n):
        one, other, spans = two_bumps(series, rng)
        pair = matcher(one, other)
        best = np.unravel_index(int(pair.interactions.values.argmax()), (UNITS, UNITS))
        sides = zip((pair.a, pair.b), spans, best, strict=True)
        hits.append(all(overlapping(e, span)[unit] for e, span, unit in sides))
    return hits


def two_bumps(series: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, list[tuple[int, int]]]:
    """Two series, each with an upward bump, and where the bumps are."""
    found, spans = [], []
    for number in rng.choice(len(series), 2, replace=False):
        x = series[int(number)]
        width = x.shape[1] // UNITS
        start = int(rng.integers(x.shape[1] - width))
        planted = x.clone()
        planted[:, start : start + width] += 2 * HEIGHT * x.std() * torch.sin(torch.linspace(0, np.pi, width))
        found.append(planted)
        spans.append((start, start + width))
    return found[0], found[1], spans


def largest(data: str, n: int) -> list[bool]:
    """Control: the segment with the sample that is farthest from the mean."""
    rng, (series, _) = np.random.default_rng(SEED), read(data, "TEST")
    hits = []
    for _ in range(n):
        planted, (start, stop) = bump(series[int(rng.integers(len(series)))], rng)
        hits.append(start <= int((planted - planted.mean()).abs().argmax()) < stop)
    return hits


def foreign(n: int) -> Iterator[tuple[Tensor, Tensor, Tensor, int]]:
    """Series with a channel of another class: the series before, the result, another of its class, the channel."""
    rng, (series, classes) = np.random.default_rng(SEED), read("BasicMotions", "TEST")
    done = 0
    while done < n:
        one, other = rng.choice(len(series), 2, replace=False)
        if classes[one] == classes[other]:
            continue
        place = int(rng.integers(series.shape[1]))
        planted = series[one].clone()
        planted[place] = series[other][place]
        mates = [number for number in range(len(series)) if classes[number] == classes[one] and number != one]
        yield series[one], planted, series[mates[done % len(mates)]], place
        done += 1


def channels(encoder: relax.Encoder, n: int, similarity: str, fill: str) -> list[bool]:
    """Whether the strongest channel is the foreign one; ``fill`` is a name, ``"before"`` or ``"mate"``."""
    hits = []
    for before, planted, mate, place in foreign(n):
        replaced = {"before": before, "mate": mate}.get(fill, fill)
        against = relax.Corpus([planted], foil=[before])
        e = relax.explain(encoder, planted, against, masks="channels", fill=replaced, similarity=similarity)
        hits.append(int(np.argmax(e.effect)) == place)
    return hits


def one_by_one(encoder: relax.Encoder, n: int) -> list[bool]:
    """Whether setting the foreign channel alone to its mean lowers the score most, without estimates of any kind."""
    hits, cosine = [], torch.nn.functional.cosine_similarity
    for before, planted, _, place in foreign(n):
        own, other = encoder.encode([planted, before])
        without = planted.repeat(len(planted), 1, 1)
        for channel, one in enumerate(without):
            one[channel] = one[channel].mean()
        h = encoder.encode(list(without))
        hits.append(int((cosine(h, own[None]) - cosine(h, other[None])).argmin()) == place)
    return hits


def in_length(encoder: relax.Encoder, n: int) -> tuple[float, float, float]:
    """Quartiles of the share of the representation's change that is along itself, where the cosine cannot see it."""
    shares = []
    for before, planted, _, _ in foreign(n):
        own, other = encoder.encode([planted, before]).double()
        change = own - other
        shares.append(float((change @ other) ** 2 / (change @ change) / (other @ other)))
    low, middle, high = np.quantile(shares, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def channel_lines(n: int) -> Iterator[str]:
    """Is the foreign channel found, and if not, why not?"""
    spreads = ", ".join(f"{spread:.1f}" for spread in read("BasicMotions", "TRAIN")[0].std((0, 2)))
    yield f"BasicMotions: standard deviations of the channels in the training half {spreads}"
    plain, scaled = trained("BasicMotions"), trained("BasicMotions", scaled=True)
    title = "BasicMotions{}, {}, fill {}: the foreign channel"
    for name, encoder in (("", plain), (", scaled channels", scaled)):
        for similarity in ("cosine", "dot"):
            for fill in ("mean", "mate"):
                hits = channels(encoder, n, similarity, fill)
                yield share(title.format(name, similarity, fill), hits, 1 / 6)
        low, middle, high = in_length(encoder, n)
        yield f"BasicMotions{name}: share of the change in length, quartiles {low:.2f} {middle:.2f} {high:.2f}"
    yield share(title.format("", "cosine", "before"), channels(plain, n, "cosine", "before"), 1 / 6)
    yield share("BasicMotions, cosine, channels one by one, no masks: the foreign channel", one_by_one(plain, n), 1 / 6)


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
    hits = answered(network, n)
    yield share("GunPoint network, fill linear, pairs: the bumps answer each other most", hits, chance**2)
    fracast, few = relax.load_encoder("series:fracast", device="cpu"), min(n, SLOW_CASES)
    hits, chance = segments(fracast, "GunPoint", few, "linear", True)
    yield share("series:fracast, fill linear, rather than before: segment of the bump", hits, chance)
    yield share("GunPoint network, fill mean, rather than before: band of the wave", bands(network, n), 1 / UNITS)
    yield from channel_lines(n)


def picture() -> Figure:
    """One bump."""
    rng, (series, _) = np.random.default_rng(3), read("GunPoint", "TEST")
    planted, _ = bump(series[0], rng)
    against: Any = relax.Corpus([planted], foil=[series[0]])
    masks = relax.SegmentMasks(segments=UNITS)
    e = relax.explain(trained("GunPoint"), planted, against, masks=masks, fill="linear", n_masks=MASKS)
    return e.plot()


def pair() -> Figure:
    """Two series with a bump each."""
    rng, (series, _) = np.random.default_rng(4), read("GunPoint", "TEST")
    one, other, _ = two_bumps(series, rng)
    masks = relax.SegmentMasks(segments=UNITS)
    return relax.match(trained("GunPoint"), one, other, regions=True, masks=masks, fill="linear", n_masks=MASKS).plot()
