"""``series:NAME``: encoders of series whose weights come in a package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relax._support.extras import require
from relax.encoders.base import Encoder
from relax.encoders.zoo.weights import read_weights
from relax.errors import EncoderError, InputError, UnknownNameError


def series_encoder(name: str) -> Encoder:
    """An encoder of series whose weights come in a package.

    Args:
        name: ``"fracast"``: Fracast-0 (Apache-2.0), a forecaster of 85,001 parameters; each channel is scaled to [0, 1]
            and encoded by itself, 64 values a step, averaged over the steps of the series and over channels.

    Raises:
        UnknownNameError: there is no such encoder.
        MissingExtraError: its package is not installed.
        EncoderError: the weights do not fit.
    """
    if name != "fracast":
        raise UnknownNameError(f"unknown encoder 'series:{name}'; expected series:fracast")
    package = require("fracast", extra="series")
    build = require("fracast._core.model", extra="series").build_from_cfg
    folder = Path(str(package.__file__)).parent / "weights"
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    core, _ = build({key: settings[key] for key in ("model", "pyramid")})
    state = read_weights(folder / "model.safetensors")
    try:
        core.load_state_dict({key.removeprefix("core."): v for key, v in state.items() if key.startswith("core.")})
    except RuntimeError as error:
        raise EncoderError(f"{folder}: the weights do not fit the model; install the package again") from error
    model = Fracast(core, int(settings["model"]["W"]))
    return Encoder(model, modality="series", name="series:fracast", origin={"name": "series:fracast"})


class Fracast(nn.Module):
    """The trunk of Fracast-0, pooled.

    Args:
        core: maps values, validity and coverage, ``(N, 1, W)`` each, to ``(N, W, D)``.
        width: number of steps W that it takes.
    """

    def __init__(self, core: Any, width: int) -> None:
        super().__init__()
        self.core = core
        self.width = width

    def forward(self, series: Tensor) -> Tensor:
        """``(N, C, T)`` to ``(N, D)``.

        Raises:
            InputError: the series is too long.
        """
        n, channels, length = series.shape
        if length > self.width:
            raise InputError(
                f"series:fracast takes at most {self.width} samples, got {length}; cut or resample the series"
            )
        rows = series.reshape(n * channels, 1, length)
        low, high = rows.amin(2, keepdim=True), rows.amax(2, keepdim=True)
        values = nn.functional.pad((rows - low) / (high - low).clamp_min(1e-5), (self.width - length, 0))
        valid = torch.zeros_like(values, dtype=torch.bool)
        valid[..., self.width - length :] = True
        with torch.autocast(series.device.type, enabled=False):  # its norms are float32
            hidden = self.core(values, valid, valid.to(values.dtype))[:, self.width - length :]
        pooled: Tensor = hidden.mean(1).reshape(n, channels, -1).mean(1)
        return pooled
