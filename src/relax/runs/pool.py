"""Several worker processes on one machine; an input that kills its worker becomes a row with that reason."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import Any

from relax.errors import ArgumentError, EncoderError, RelaxError, RelaxWarning
from relax.runs.sources import Item
from relax.runs.worker import AT_ONCE, Recipe, Row, Worker

IN_HAND = 2 * AT_ONCE + 2
"""Inputs that a worker has been given and has not returned; more than it reads ahead, so that it never waits."""

WAITED = 0.05
"""Seconds that a worker waits for an input before it hands over what is ready."""

CONTEXT = multiprocessing.get_context("spawn")
"""Fresh processes: CUDA and threads do not survive a fork."""


@dataclass(eq=False)
class _Hand:
    """A worker process and the inputs that it has been given.

    Attributes:
        process: the process.
        connection: to the process.
        careful: whether it takes one input at a time, to find out which of several killed a worker.
        items: inputs that have not come back, oldest first.
        ready: whether it has built its explainer.
    """

    process: Any
    connection: Connection
    careful: bool
    items: deque[Item] = field(default_factory=deque)
    ready: bool = False

    @property
    def free(self) -> int:
        """Number of inputs that it can still be given."""
        return (1 if self.careful else IN_HAND) - len(self.items)

    def give(self, item: Item) -> None:
        """Send an input."""
        self.items.append(item)
        with suppress(OSError):  # it has died, which is found out when its answer is waited for
            self.connection.send(item)

    def discard(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.connection.close()


class Pool:
    """Worker processes that explain inputs.

    Args:
        recipe: how each worker builds its explainer; must survive pickling.
        workers: number of processes; GPUs are given out in turn, CPU cores are shared out.

    Raises:
        ArgumentError: the encoder, or an argument, cannot be sent to another process.
    """

    def __init__(self, recipe: Recipe, workers: int) -> None:
        self.recipe, self.workers = recipe, workers
        try:
            pickle.dumps(recipe)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ArgumentError(
                f"workers={workers} sends the encoder and its arguments to other processes, which fails: {error}; name "
                "the encoder, or leave workers out"
            ) from error
        self._suspects: deque[Item] = deque()
        self._hands: list[_Hand] = []

    def __enter__(self) -> Pool:
        """Start the workers."""
        self._hands = [self._started(number) for number in range(self.workers)]
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        for hand in self._hands:
            hand.discard()

    def rows(self, items: Iterator[Item]) -> Iterator[tuple[Item, Row]]:
        """Explain inputs, in the order in which they are ready.

        Args:
            items: the inputs, consumed lazily.

        Raises:
            RelaxError: a worker cannot build the explainer.
        """
        while True:
            self._deal(items)
            busy = {hand.connection: number for number, hand in enumerate(self._hands) if hand.items}
            if not busy:
                return
            for connection in wait(list(busy)):
                number = busy[connection]  # type: ignore[index]
                try:
                    answer = self._hands[number].connection.recv()
                except (EOFError, OSError):
                    yield from self._buried(self._hands[number])
                    self._hands[number] = self._started(number, careful=bool(self._suspects))
                else:
                    yield from self._answered(self._hands[number], answer)

    def _deal(self, items: Iterator[Item]) -> None:
        """Give inputs to the workers that have room; careful ones take suspects only."""
        for number, hand in enumerate(self._hands):
            if hand.careful and not self._suspects and not hand.items:
                hand.discard()
                self._hands[number] = hand = self._started(number)
            while hand.free > 0:
                item = next(iter(self._suspects), None) if hand.careful else next(items, None)
                if item is None:
                    break
                if hand.careful:
                    self._suspects.popleft()
                hand.give(item)

    def _answered(self, hand: _Hand, answer: Any) -> Iterator[tuple[Item, Row]]:
        """Take an answer of a worker: it is ready, it cannot build its explainer, or a row."""
        if isinstance(answer, RelaxError):
            raise answer
        if answer is None:
            hand.ready = True
        else:
            yield hand.items.popleft(), answer

    def _buried(self, hand: _Hand) -> Iterator[tuple[Item, Row]]:
        """Inputs of a worker that has died: one alone is to blame, several are tried one by one.

        Raises:
            EncoderError: it died before its first input.
        """
        hand.discard()
        code = hand.process.exitcode
        ended = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
        if not hand.ready:
            raise EncoderError(f"a worker died while it loaded the encoder ({ended}); try fewer workers")
        if hand.careful:
            item = hand.items.popleft()
            yield item, {"key": item.key, "row": item.row, "reason": f"{item.key}: its worker died ({ended})"}
        self._suspects.extend(hand.items)

    def _started(self, number: int, careful: bool = False) -> _Hand:
        ours, theirs = CONTEXT.Pipe()
        recipe = replace(self.recipe, device=_device(self.recipe.device, number))
        cores = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        threads = max(1, min(cores, (os.cpu_count() or 1) // self.workers))
        process = CONTEXT.Process(target=_work, args=(theirs, recipe, careful, threads), daemon=True)
        process.start()
        theirs.close()
        return _Hand(process, ours, careful)


def _device(device: str, number: int) -> str:
    """Device of a worker: GPUs in turn."""
    import torch

    if device not in ("auto", "cuda") or not torch.cuda.is_available():
        return device
    return f"cuda:{number % torch.cuda.device_count()}"


def _work(connection: Connection, recipe: Recipe, careful: bool, threads: int) -> None:
    """Main function of a worker process."""
    import torch

    from relax._support.memory import keep_memory

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    warnings.simplefilter("ignore", RelaxWarning)  # notes on single inputs, out of order
    keep_memory()
    torch.set_num_threads(threads)
    try:
        worker = Worker(recipe.explainer(), recipe.folder)
    except RelaxError as error:
        connection.send(error)
        return
    with suppress(BrokenPipeError, ConnectionResetError):  # the parent has ended
        connection.send(None)
        for _, row in worker.rows(_received(connection), 1 if careful else AT_ONCE):
            connection.send(row)


def _received(connection: Connection) -> Iterator[Item | None]:
    """Inputs from the parent, until it has ended; ``None`` while there is none."""
    with suppress(EOFError, OSError):
        while True:
            yield connection.recv() if connection.poll(WAITED) else None
