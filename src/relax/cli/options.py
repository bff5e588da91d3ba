"""Options shared by several commands, and the CPU thread setting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relax.errors import ArgumentError

THREADS = Annotated[int | None, typer.Option(help="Number of CPU threads; PyTorch's default if not given.")]
ENCODER = Annotated[str | None, typer.Option(help="Name from `relax list encoders`; by default the index's encoder.")]
MASKS = Annotated[int | None, typer.Option(help="Number of masks per map; adaptive if not given.")]
MAX_MASKS = Annotated[
    int | None, typer.Option(help="Maximum number of masks if --masks is not given; by default the method's own.")
]
RELIABILITY = Annotated[
    float | None, typer.Option(help="Target reliability if --masks is not given; by default the method's own.")
]
METHOD = Annotated[str | None, typer.Option(help="Name from `relax list methods`; by default relax-regression.")]
KIND = Annotated[
    str | None,
    typer.Option(
        help="Kind of masks from `relax list masks`, or several: words,sentences; by default the method's own."
    ),
]
CELLS = Annotated[
    str | None,
    typer.Option(
        help="Grid cells per side for --kind grid, or ROWSxCOLUMNS; number of segments or bands.", metavar="N"
    ),
]
KEEP = Annotated[float | None, typer.Option(help="Keep probability of the masks of --kind; default 0.5.")]
PATTERN = Annotated[str | None, typer.Option(help="Regular expression for --kind pattern.")]
GROUP = Annotated[list[str] | None, typer.Option(help="NAME=COLUMN,COLUMN of a table, removed together; repeatable.")]
DESIGN = Annotated[str, typer.Option(help="Name from `relax list designs`.")]
FILL = Annotated[
    list[str] | None,
    typer.Option(help="Name from `relax list fills`, a colour, or a picture; repeatable; by default the method's own."),
]
SIMILARITY = Annotated[
    str | None, typer.Option(help="Name from `relax list similarities`; by default the method's own.")
]
OPTION = Annotated[
    list[str] | None, typer.Option("--option", "-o", help="NAME=VALUE of a method parameter; repeatable.")
]
LONG = Annotated[
    str | None, typer.Option(help="'windows' encodes all of a text that is too long, in windows; else it is cut.")
]
PRETRAINED = Annotated[bool, typer.Option(help="Load the encoder's trained weights.")]
CROP = Annotated[
    str | None,
    typer.Option(help="'center' for the model's evaluation transform; by default the whole picture is resized."),
]
BATCH_SIZE = Annotated[str, typer.Option(help="Rows per forward pass, or 'auto'.")]
SEED = Annotated[int, typer.Option(help="Seed of the masks.")]
OUT = Annotated[Path, typer.Option(help="Folder for the results.")]
DEVICE = Annotated[str, typer.Option(help="auto, cpu, cuda, mps, ...")]
PRECISION = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
ENGINE = Annotated[str, typer.Option(help="auto, torch, onnxruntime or openvino: what encodes on a CPU.")]
QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="Hide the progress bar.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object per line on stdout, and nothing else.")]
OVERWRITE = Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")]
SKIP_EXISTING = Annotated[
    bool, typer.Option("--skip-existing", help="Skip inputs whose results exist, to continue an interrupted run.")
]


def existing_policy(overwrite: bool, skip_existing: bool) -> str:
    """What to do with existing results: ``"refuse"``, ``"overwrite"`` or ``"skip"``."""
    if overwrite and skip_existing:
        raise ArgumentError("expected --overwrite or --skip-existing, got both; give one of them")
    return "overwrite" if overwrite else "skip" if skip_existing else "refuse"


def set_threads(threads: int | None) -> None:
    """Set PyTorch's thread count and configure the memory allocator; imports torch."""
    if threads is not None and threads < 1:
        raise ArgumentError(f"expected --threads to be a positive integer, got {threads}")
    import torch

    from relax._support.memory import keep_memory

    keep_memory()
    if threads is not None:
        torch.set_num_threads(threads)
