"""The same rows from a Ray cluster on this machine, of whose two workers one is killed."""

from __future__ import annotations

import os
import signal
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import relax
from runs.small import run

pytest.importorskip("pyarrow")
pytest.importorskip("ray.data")

pytestmark = pytest.mark.slow


def workers_of(parent: int) -> list[int]:
    """Process ids of the Ray workers below a process."""
    children: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            above = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            names[int(folder.name)] = (folder / "cmdline").read_text()
        except OSError:
            continue
        children.setdefault(above, []).append(int(folder.name))
    found, below = [], [parent]
    while below:
        below = [child for process in below for child in children.get(process, [])]
        found += [process for process in below if names[process].startswith("ray::MapWorker")]
    return found


def test_the_same_rows_although_a_worker_is_killed(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(24):
        Image.fromarray(rng.integers(0, 255, (30, 30, 3), dtype=np.uint8)).save(tmp_path / "in" / f"{number}.png")
    (tmp_path / "in" / "damaged.png").write_bytes(b"no picture")
    (tmp_path / "in" / "x.json").write_text("{}")
    killed = []

    def kill_one(progress) -> None:
        if not killed:
            killed.append(workers_of(os.getpid())[0])
            os.kill(killed[0], signal.SIGKILL)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"encoder": "fashion:untrained", "device": "cpu", "n_masks": 256}
        ran = run(tmp_path / "in", tmp_path / "ray", executor="ray", workers=2, on_input=kill_one, **options)
        run(tmp_path / "in", tmp_path / "local", **options)
    assert killed
    assert (ran.done, ran.failed) == (24, 1)
    tables = [relax.Store(tmp_path / name).table().sort_by("key").to_pylist() for name in ("ray", "local")]
    for ours, theirs in zip(*tables, strict=True):
        ours.pop("seconds"), theirs.pop("seconds")
        for name in ("importance", "uncertainty", "standard_error", "representation"):
            a, b = ours.pop(name), theirs.pop(name)
            if a is not None:
                torch.testing.assert_close(torch.tensor(a), torch.tensor(b), rtol=1e-4, atol=1e-6)
        for name in ("neutral", "reliability", "score"):
            a, b = ours.pop(name), theirs.pop(name)
            assert (a is None and b is None) or a == pytest.approx(b, rel=1e-4)
        assert ours == theirs
