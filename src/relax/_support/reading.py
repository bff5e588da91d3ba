"""Reading inputs before their turn comes, in one thread, in order, and only so many of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def read_ahead(read: Callable[[S], T], sources: Iterable[S], ahead: int) -> Iterator[tuple[S, Callable[[], T]]]:
    """Each source with a function that gives what was read, or raises what reading it raised.

    Args:
        read: from a source to what is wanted of it; called in a thread.
        sources: asked for in the caller's thread, never more than ``ahead`` before their turn.
        ahead: sources that are read before their turn; 0 reads each when it is wanted.
    """
    if ahead < 1:
        for source in sources:
            yield source, lambda source=source: read(source)  # type: ignore[misc]
        return
    waiting: deque[tuple[S, Future[T]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="relax-read") as reader:
        try:
            for source in sources:
                waiting.append((source, reader.submit(read, source)))
                if len(waiting) > ahead:
                    first, future = waiting.popleft()
                    yield first, future.result
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result
        finally:
            for _, future in waiting:
                future.cancel()
