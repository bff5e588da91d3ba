"""Speech of two speakers joined: what makes it like another recording of speaker A?

Spoken captions of Tux Paint's stamps (``relax data stamps``) in two languages, by two speakers, cut to equal halves and
joined in either order. Against other captions of speaker A, the importance must lie on A's half.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import relax
from benchmarks.modalities.counting import share
from relax.datasets.cache import STAMPS, find
from relax.modalities.sound.reading import read
from relax.retrieval import Matcher

CASES = 100
SEED = 0
PAIRS = 40
"""Pairs of recordings, which take several seconds each."""

RATE = 16000
HALF = round(1.6 * RATE)
"""Samples of each half."""

LANGUAGES = ("bg", "ca", "es", "fr", "ro", "ru")
"""Languages with about 900 captions each."""

QUIET = 0.02
"""Share of the loudest sample below which the ends of a caption are cut off."""

MASKS, SEGMENTS = 64, 8


@cache
def captions(language: str) -> list[Any]:
    """Files of a language."""
    return sorted(find(STAMPS).glob(f"**/*_desc_{language}.ogg"))


def speech(language: str, rng: np.random.Generator, used: set[Any]) -> np.ndarray:
    """Captions that were not used before, without their quiet ends, one after another."""
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < HALF:
        path = captions(language)[int(rng.integers(len(captions(language))))]
        if path in used:
            continue
        used.add(path)
        try:
            samples, _ = read(path, RATE)
        except relax.InputError:
            continue
        loud = np.flatnonzero(np.abs(samples) > QUIET * np.abs(samples).max())
        part = samples[loud[0] : loud[-1] + 1]
        parts.append(part / np.sqrt(np.mean(part**2)) * 0.05)
    return np.concatenate(parts)[:HALF]


def scene(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """The joined speech, other speech of A and of B, and which half is A's."""
    rng = np.random.default_rng([SEED, index])
    a, b = rng.choice(LANGUAGES, 2, replace=False)
    used: set[Any] = set()
    half = int(rng.integers(2))
    ours, theirs = speech(a, rng, used), speech(b, rng, used)
    joined = np.concatenate([ours, theirs] if half == 0 else [theirs, ours])
    return joined, speech(a, rng, used), speech(b, rng, used), half


def on_half(e: relax.Explanation, half: int) -> bool:
    """Whether the mean effect on a half is larger than on the other."""
    means = e.effect.reshape(2, -1).mean(1)
    return bool(means[half] > means[1 - half])


def two_scenes(index: int) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Two joined recordings with one language in common, and in which half of each it is."""
    rng = np.random.default_rng([SEED + 1, index])
    shared, one, other = rng.choice(LANGUAGES, 3, replace=False)
    used: set[Any] = set()
    places = [int(half) for half in rng.integers(2, size=2)]
    scenes = []
    for language, half in zip((one, other), places, strict=True):
        parts = [speech(shared, rng, used), speech(language, rng, used)]
        scenes.append(np.concatenate(parts if half == 0 else parts[::-1]))
    return scenes[0], scenes[1], *places


def answered(encoder: relax.Encoder, n: int) -> tuple[list[bool], list[bool]]:
    """Whether the halves of one language answer each other more than any other two halves; and more than by loudness.

    The second list is a control: the louder halves.
    """
    matcher = Matcher(
        encoder, regions=True, masks=relax.SegmentMasks(segments=SEGMENTS), n_masks=MASKS, batch_size=MASKS
    )
    hits, louder = [], []
    for index in range(n):
        a, b, *places = two_scenes(index)
        values = matcher(a, b).interactions.values.reshape(2, SEGMENTS // 2, 2, SEGMENTS // 2).mean((1, 3))
        hits.append(np.unravel_index(int(values.argmax()), (2, 2)) == tuple(places))
        levels = [int(np.square(scene.reshape(2, -1)).mean(1).argmax()) for scene in (a, b)]
        louder.append(levels == places)
    return hits, louder


def run(n: int) -> Iterator[str]:
    """Lines of figures."""
    encoder = relax.load_encoder("sound:resemblyzer", device="cpu")
    scenes = [scene(index) for index in range(n)]
    explainer = relax.Explainer(encoder, masks=relax.SegmentMasks(segments=SEGMENTS), n_masks=MASKS)
    plain, rather, top, nearer, louder = [], [], [], [], []
    for joined, like_a, like_b, half in scenes:
        e = explainer(joined, like_a)
        plain.append(on_half(e, half))
        e = explainer(joined, relax.Corpus([like_a], foil=[like_b]))
        rather.append(on_half(e, half))
        top.append(int(np.argmax(e.effect)) // (SEGMENTS // 2) == half)
        halves = encoder.encode([joined[:HALF], joined[HALF:], like_a])
        nearer.append(bool(halves[half] @ halves[2] > halves[1 - half] @ halves[2]))
        levels = np.square(joined.reshape(2, -1)).mean(1)
        louder.append(bool(levels[half] > levels[1 - half]))
    yield share("against A: A's half has the larger mean effect", plain, 0.5)
    yield share("against A rather than B: A's half has the larger mean effect", rather, 0.5)
    yield share("against A rather than B: the strongest segment is in A's half", top, 0.5)
    yield share("the encoder itself: A's half alone is nearer to A than B's half", nearer, 0.5)
    yield share("control: the louder half is A's", louder, 0.5)
    hits, louder = answered(encoder, min(n, PAIRS))
    yield share("pairs: the halves of one language answer each other most", hits, 0.25)
    yield share("pairs, control: the louder halves", louder, 0.25)


def picture() -> Figure:
    """One scene."""
    joined, like_a, like_b, _ = scene(1)
    encoder = relax.load_encoder("sound:resemblyzer", device="cpu")
    against = relax.Corpus([like_a], foil=[like_b])
    return relax.explain(encoder, joined, against, masks="segments", n_masks=MASKS).plot()


def pair() -> Figure:
    """Two recordings with one language in common."""
    a, b, *_ = two_scenes(0)
    encoder = relax.load_encoder("sound:resemblyzer", device="cpu")
    return relax.match(encoder, a, b, regions=True, masks="segments", n_masks=2 * MASKS).plot()
