"""Options that several commands share, and how a command uses the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relax.errors import ArgumentError

THREADS = Annotated[int | None, typer.Option(help="CPU threads; torch's choice if not given.")]
ENCODER = Annotated[str | None, typer.Option(help="Name from `relax list encoders`; an index's own if not given.")]
MASKS = Annotated[int | None, typer.Option(help="Number of masks a map; as many as it takes if not given.")]
SEED = Annotated[int, typer.Option(help="Seed of the masks.")]
OUT = Annotated[Path, typer.Option(help="Folder for the results.")]
DEVICE = Annotated[str, typer.Option(help="auto, cpu, cuda, mps, ...")]
PRECISION = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
JSON = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout, and nothing else.")]
OVERWRITE = Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")]
SKIP_EXISTING = Annotated[
    bool, typer.Option("--skip-existing", help="Leave out inputs whose results exist; continues a run.")
]


def existing(overwrite: bool, skip_existing: bool) -> str:
    """What to do with results that exist: ``"refuse"``, ``"overwrite"`` or ``"skip"``."""
    if overwrite and skip_existing:
        raise ArgumentError("expected --overwrite or --skip-existing, got both")
    return "overwrite" if overwrite else "skip" if skip_existing else "refuse"


def set_threads(threads: int | None) -> None:
    """Tell torch, which is imported here, and the allocator."""
    if threads is not None and threads < 1:
        raise ArgumentError(f"expected --threads to be a positive integer, got {threads}")
    import torch

    from relax._support.memory import keep_memory

    keep_memory()
    if threads is not None:
        torch.set_num_threads(threads)
