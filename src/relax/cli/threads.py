"""How a command uses the CPU: its threads, and the memory that is kept between layers."""

from __future__ import annotations

from typing import Annotated

import typer

from relax.errors import ArgumentError

THREADS = Annotated[int | None, typer.Option(help="CPU threads; torch's choice if not given.")]


def set_threads(threads: int | None) -> None:
    """Tell torch, which is imported here, and the allocator."""
    if threads is not None and threads < 1:
        raise ArgumentError(f"expected --threads to be a positive integer, got {threads}")
    import torch

    from relax.memory import keep_memory

    keep_memory()
    if threads is not None:
        torch.set_num_threads(threads)
