"""One run of several lives, and the bare encoder between them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import relax
from benchmarks.runs.bare import Bare, interval
from benchmarks.runs.pictures import pictures
from relax.runs import Store

BARE = 5.0
"""Seconds of the bare encoder between two turns of the run, which is stopped meanwhile."""

TURN = 40.0
"""Seconds of a turn of the run."""

SAMPLE = 24
"""Inputs that are explained again by a run that is left alone."""

FEWEST = 10
"""Inputs of a turn, below which it is not counted: the start of a life, and its end."""


def measured(asked: Any) -> dict[str, Any]:
    """Lives of one run, each ended by SIGKILL but the last, in turns with the bare encoder."""
    source, out = pictures(asked.n, asked.out / "pictures"), asked.out / "store"
    bare = _settled(source, asked.masks)
    command = [sys.executable, "-m", "relax", "run", str(source), "--out", str(out), "--masks", str(asked.masks)]
    command += ["--threads", str(asked.threads), "--device", "cpu", "--json", "--quiet"]
    log = asked.out / "lives.jsonl"
    rng = np.random.default_rng(0)
    while True:
        lives = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        if lives and lives[-1]["exit"] >= 0:
            break
        share = rng.uniform(0.5, 1.5, size=len(lives) + 1)[-1]
        life = Life(command, bare, asked.life * share if len(lives) < asked.kills else None).lived()
        with log.open("a") as file:
            file.write(json.dumps(life) + "\n")
        print(json.dumps({**life, "turns": len(life["turns"])}), file=sys.stderr, flush=True)
    turns = [turn for life in lives for turn in life["turns"] if turn["inputs"] >= FEWEST]
    return {
        **_rates(turns, asked.masks + 1),
        "kills": sum(life["exit"] < 0 for life in lives),
        "explained": sum(life["inputs"] for life in lives),
        "peak_mib_50": max(life["peak_mib_50"] for life in lives),
        "peak_mib": max(life["peak_mib"] for life in lives),
        "engine": bare.name,
        "batch_size": bare.size,
        "threads": asked.threads,
        **_state(out, asked.masks),
    }


def _settled(source: Path, masks: int) -> Bare:
    """The bare encoder, after a few inputs by which a run would find its engine."""
    relax.keep_memory()
    encoder = relax.load_encoder("efficientnet-lite0", device="cpu")
    files = sorted(source.iterdir())[:6]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", relax.RelaxWarning)
        for _ in relax.explain(encoder, files, n_masks=masks):
            pass
        bare = Bare(encoder, encoder.prepare(files[0]).tensor)
    bare.settle()
    return bare


class Life:
    """One start of the run.

    Args:
        command: starts it.
        bare: the bare encoder, which takes turns with it.
        seconds: of its own time after which it is killed; ``None`` lets it end.
    """

    def __init__(self, command: list[str], bare: Bare, seconds: float | None) -> None:
        self.bare, self.seconds = bare, seconds
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.inputs, self.peak, self.half = 0, 0.0, 0.0
        self.turns: list[dict[str, float]] = []

    def lived(self) -> dict[str, Any]:
        """Let it live, and return what it did."""
        lines = iter(self.process.stdout or ())
        began = time.perf_counter()
        for _ in lines:  # the first input, after which the turns begin
            self.inputs += 1
            break
        to_first = time.perf_counter() - began
        while self.process.poll() is None and not self._over():
            if not self._turn(lines):
                break
        if self._over():
            self.process.kill()
        self.process.communicate()
        return {
            "inputs": self.inputs,
            "to_first": round(to_first, 1),
            "seconds": round(sum(turn["seconds"] for turn in self.turns), 1),
            "peak_mib_50": round(self.half),
            "peak_mib": round(self.peak),
            "exit": self.process.returncode,
            "turns": self.turns,
        }

    def _over(self) -> bool:
        return self.seconds is not None and sum(turn["seconds"] for turn in self.turns) >= self.seconds

    def _turn(self, lines: Iterator[str]) -> bool:
        """The run between two inputs that are done, then the bare encoder while it is stopped; whether it goes on."""
        pid, inputs = self.process.pid, 0
        began, before = time.perf_counter(), _processor(pid)
        for _ in lines:
            inputs += 1
            self.inputs += 1
            self.peak = max(self.peak, _resident(pid))
            self.half = self.peak if self.inputs <= 50 else self.half
            if time.perf_counter() - began >= TURN:
                break
        seconds, spent = time.perf_counter() - began, _processor(pid) - before
        goes_on = self.process.poll() is None and seconds >= TURN
        if goes_on:
            self.process.send_signal(signal.SIGSTOP)
        cpu, wall, forwards = time.process_time(), time.perf_counter(), 0
        while time.perf_counter() - wall < BARE:
            forwards += self.bare()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        if goes_on:
            self.process.send_signal(signal.SIGCONT)
        turn = {"inputs": inputs, "seconds": seconds, "processor": spent, "load": os.getloadavg()[0]}
        self.turns.append({**turn, "bare_wall": forwards / wall, "bare_processor": forwards / cpu})
        return goes_on


def _processor(pid: int) -> float:
    """Seconds of the processor that a process has taken."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.split("VmRSS:")[1].split()[0]) / 1024 if "VmRSS:" in status else 0.0


def _rates(turns: list[dict[str, float]], forwards: int) -> dict[str, Any]:
    """Rate of the run over that of the bare encoder in the same turn: means and 95 % intervals over turns."""
    walls = [turn["inputs"] * forwards / turn["seconds"] / turn["bare_wall"] for turn in turns]
    spent = [
        turn["inputs"] * forwards / turn["processor"] / turn["bare_processor"]
        for turn in turns
        if np.isfinite(turn["processor"])
    ]
    inputs, seconds = (sum(turn[name] for turn in turns) for name in ("inputs", "seconds"))
    return {
        **interval("wall_time", walls),
        **interval("processor_time", spent),
        "turns": len(turns),
        "inputs_of_turns": inputs,
        "inputs_a_second": round(inputs / seconds, 4),
        "bare_forwards_a_second": round(float(np.mean([turn["bare_wall"] for turn in turns])), 2),
        "load": [round(float(np.quantile([turn["load"] for turn in turns], q)), 1) for q in (0, 0.5, 1)],
    }


def _state(out: Path, masks: int) -> dict[str, Any]:
    """What is in the store at the end: rows, keys, size, and whether rows equal those of a run that was left alone."""
    store = Store(out)
    table = store.table(["key", "path", "seed", "reason", "importance"])
    explained = [row for row in table.to_pylist() if row["reason"] is None]
    sample = explained[:: max(len(explained) // SAMPLE, 1)][:SAMPLE]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", relax.RelaxWarning)
        links = Path(folder) / "pictures"
        links.mkdir()
        for row in sample:
            (links / row["key"]).write_bytes(Path(row["path"]).read_bytes())
        alone = relax.run(links, Path(folder) / "store", n_masks=masks, device="cpu").store.table()
    again = {row["key"]: row for row in alone.to_pylist()}
    differences = [_difference(row, again[row["key"]]["importance"]) for row in sample]
    exact = [row["seed"] == again[row["key"]]["seed"] for row in sample]
    return {
        "rows": table.num_rows,
        "keys": len(set(table.column("key").to_pylist())),
        "failed": table.num_rows - len(explained),
        "shards": len(store.shards()),
        "bytes_an_input": round(sum(path.stat().st_size for path in store.shards()) / table.num_rows),
        "sample": len(sample),
        "same_masks_as_an_undisturbed_run": sum(exact),
        "largest_difference_to_an_undisturbed_run": max(differences),
    }


def _difference(row: dict[str, Any], importance: list[float]) -> float:
    """Largest difference of a map to another one, in standard deviations of the map."""
    values = np.array(row["importance"])
    return float(np.abs(values - importance).max() / values.std())
