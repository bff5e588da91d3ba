"""Seconds of one explanation of a sentence of 20 words: ``python -m benchmarks.text --only speed``.

Every start is a process of its own, in turn with the other methods; seconds of the processor stand beside those of the
clock, since they do not depend on what else runs on the machine.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import relax
from benchmarks.text.rivals import ShapPartition

SENTENCE = (
    "the quick brown fox jumps over the lazy dog while the farmer watches from his porch and drinks coffee slowly"
)

RIVALS: dict[str, Any] = {
    "relax-regression": "relax-regression",
    "occlusion (leave one word out)": "occlusion",
    "shap-partition, 512": ShapPartition(512),
}

COMMANDS = {
    "relax explain --text": ["-m", "relax", "explain", "--text", SENTENCE, "--overwrite", "--quiet", "--out"],
    "import torch": ["-c", "import torch"],
}

TURNS = 7

Times = list[tuple[float, float]]
"""Seconds by the clock, and of the processor."""


def speed(turns: int = TURNS, folder: str = "relax-out/speed") -> None:
    """Print a table of starts and one of calls in a process that is warm.

    Args:
        turns: runs of each, in turn, after one that is not counted.
        folder: where the command writes.
    """
    commands = {name: [*command, *([folder] if command[-1] == "--out" else [])] for name, command in COMMANDS.items()}
    starts = in_turn({name: lambda command=command: process(command) for name, command in commands.items()}, turns)
    encoder = relax.load_encoder("text:minilm")
    explainers = {name: relax.Explainer(encoder, method=method) for name, method in RIVALS.items()}
    for explainer in explainers.values():
        explainer(SENTENCE)  # the batch size is settled in the first calls
    calls = in_turn({name: lambda x=x: explained(x) for name, x in explainers.items()}, turns)
    forwards = {name: explainer(SENTENCE).settings["cost"]["forwards"] for name, explainer in explainers.items()}
    n_words, threads = len(SENTENCE.split()), torch.get_num_threads()
    print(f"{n_words} words, median (least to most) of {turns} runs in turn, {threads} threads\n")
    print("| | seconds by the clock | seconds of the processor | forwards |\n|---|---|---|---|")
    for name, times in {**starts, **calls}.items():
        clock, processor = (shown([pair[number] for pair in times]) for number in (0, 1))
        where = "from process start" if name in starts else "warm"
        print(f"| {name}, {where} | {clock} | {processor} | {forwards.get(name, '')} |")


def in_turn(runs: dict[str, Callable[[], tuple[float, float]]], turns: int) -> dict[str, Times]:
    """Times of several things, one after the other, again and again; the first of each is not counted."""
    times: dict[str, Times] = {name: [] for name in runs}
    for turn in range(turns + 1):
        for name, run in runs.items():
            found = run()
            if turn:
                times[name].append(found)
    return times


def process(arguments: list[str]) -> tuple[float, float]:
    """Seconds of a Python process, by the clock and of the processor."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, spent


def explained(explainer: relax.Explainer) -> tuple[float, float]:
    """Seconds of one call, by the clock and of the processor."""
    start, spent = time.perf_counter(), time.process_time()
    explainer(SENTENCE)
    return time.perf_counter() - start, time.process_time() - spent


def shown(values: list[float]) -> str:
    return f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
