"""Read-ahead: read a bounded number of inputs in a background thread, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from os import PathLike
from typing import Any, TypeVar

from relax.errors import ArgumentError

S = TypeVar("S")
T = TypeVar("T")


def check_stream(sources: Any, errors: str, ahead: int) -> None:
    """Validate the arguments of a stream up front.

    Raises:
        ArgumentError: the sources are not iterable or one path, or an option is out of range.
    """
    if isinstance(sources, (str, bytes, PathLike)) or not isinstance(sources, Iterable):
        raise ArgumentError(f"expected an iterable of inputs, got {sources!r}; put a single input into a list")
    if errors not in ("raise", "return"):
        raise ArgumentError(f"expected `errors` to be 'raise' or 'return', got {errors!r}")
    if isinstance(ahead, bool) or not isinstance(ahead, int) or ahead < 0:
        raise ArgumentError(f"expected `ahead` to be a non-negative integer, got {ahead!r}")


def read_ahead(read: Callable[[S], T], sources: Iterable[S], ahead: int) -> Iterator[tuple[S, Callable[[], T]]]:
    """Pair each source with a function that returns its content, or raises the error of reading it.

    Args:
        read: reads one source; called in a background thread.
        sources: consumed lazily in the caller's thread, at most ``ahead`` items in advance.
        ahead: number of sources to read in advance; 0 reads each source on demand, in the caller's thread.

    Yields:
        Source, and function without arguments that returns its content.
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
