"""Progress bar on stderr, with masks, reliability and time left."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from relax.estimation.loop import OnBlock, Progress


@contextmanager
def progress_bar(shown: bool, description: str) -> Iterator[OnBlock | None]:
    """Yield the callback that drives a progress bar, or ``None`` without one.

    Args:
        shown: whether to show the bar.
        description: label of the bar.
    """
    if not shown:
        yield None
        return
    from tqdm.auto import tqdm

    with tqdm(desc=description, unit=" masks", dynamic_ncols=True, leave=True) as bar:

        def on_block(progress: Progress) -> None:
            bar.total = progress.expected
            if math.isfinite(progress.reliability):
                bar.set_postfix_str(f"reliability {progress.reliability:.3f}", refresh=False)
            bar.update(progress.n_masks - bar.n)

        yield on_block
