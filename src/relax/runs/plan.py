"""What a run has to do: inputs that are missing in a store, have changed, or are tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relax.errors import InputError
from relax.modalities import Modality
from relax.runs.checksums import checksum_of
from relax.runs.sources import Item, Source
from relax.runs.store import Known
from relax.runs.worker import path_of, stamp_of


@dataclass(frozen=True)
class Plan:
    """Positions of the inputs to explain.

    Attributes:
        pending: positions in the source.
        known: number of inputs that are in the store and stay.
        known_failed: number of these that could not be explained.
        changed: number of pending inputs that have changed since they were explained.
        gone: number of inputs in the store that are not among those of the source.
    """

    pending: list[int]
    known: int
    known_failed: int
    changed: int
    gone: int


def planned(source: Source, every: int, known: Mapping[str, Known], modality: Modality, retry_failed: bool) -> Plan:
    """Compare a source with a store.

    Args:
        source: the inputs.
        every: take every k-th input.
        known: what the store knows, by key.
        modality: says whether a string is a path.
        retry_failed: whether to try inputs again that could not be explained.
    """
    positions = range(0, len(source), every)
    pending: list[int] = []
    met = failed = changed = retried = 0
    for position in positions:
        item = source[position] if known else None
        before = None if item is None else known.get(item.key)
        if item is None or before is None:
            pending.append(position)
            continue
        met += 1
        if has_changed(item, before, modality, source):
            changed += 1
            pending.append(position)
        elif before.failed and retry_failed:
            retried += 1
            pending.append(position)
        else:
            failed += before.failed
    return Plan(pending, met - changed - retried, failed, changed, len(known) - met)


def has_changed(item: Item, before: Known, modality: Modality, source: Source) -> bool:
    """Whether an input is another one than when it was explained: by its checksum, unless a file looks untouched.

    Args:
        item: the input.
        before: what the store knows of it.
        modality: says whether a string is a path.
        source: of the input.
    """
    path = path_of(item.value, modality, source.folder)
    if path is not None:
        stamp = stamp_of(path)
        if (stamp.get("size"), stamp.get("modified")) == (before.size, before.modified):
            return False
    try:
        return checksum_of(item.value if path is None else path) != before.checksum
    except InputError:
        return before.checksum is not None
