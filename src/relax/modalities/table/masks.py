"""Masks on the columns of a table, or on named groups of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from relax.errors import ArgumentError
from relax.modalities.prepared import Prepared
from relax.modalities.units import LabelUnits, Masks, check_keep

Part = tuple[str, tuple[int, ...]]
"""Name of a column or group, and the positions of its columns."""


@dataclass(frozen=True)
class Layout:
    """The columns of a table, and what the elements of a map are.

    Attributes:
        columns: names of the columns.
        elements: the columns or groups that a map speaks of, in order, together all columns.
    """

    columns: tuple[Any, ...]
    elements: tuple[Part, ...]

    @property
    def element_of_column(self) -> list[int]:
        """Index of the element of each column."""
        owner = {place: number for number, (_, places) in enumerate(self.elements) for place in places}
        return [owner[place] for place in range(len(self.columns))]


@dataclass(frozen=True)
class FeatureMasks(Masks):
    """Columns of a table, or named groups of columns that are kept or removed together.

    Args:
        groups: names of groups, each with the names of its columns; every other column is a unit of its own. ``None``
            for no groups.
        keep: probability of keeping a unit, in (0, 1).

    Raises:
        ArgumentError: an argument is out of range, a group is empty, or a column is in two groups.
    """

    groups: Any = None
    keep: float = 0.5

    modalities = ("table",)

    def __post_init__(self) -> None:
        check_keep(self.keep)
        if self.groups is None:
            return
        pairs = self.groups.items() if isinstance(self.groups, Mapping) else self.groups
        try:
            groups = tuple((str(name), tuple(columns)) for name, columns in pairs if not isinstance(columns, str))
            complete = len(groups) == len(self.groups) > 0 and all(columns for _, columns in groups)
        except (TypeError, ValueError):
            complete = False
        if not complete:
            raise ArgumentError(
                "expected `groups` to be a mapping from names to lists of columns, such as {'size': ['height', "
                f"'width']}}, got {self.groups!r}"
            )
        columns = [column for _, columns in groups for column in columns]
        twice = [column for column in columns if columns.count(column) > 1]
        if twice:
            raise ArgumentError(f"expected every column in one group at most, got {twice[0]!r} twice")
        object.__setattr__(self, "groups", groups)

    def parts(self, columns: tuple[Any, ...]) -> tuple[Part, ...]:
        """The units of a table, in the order of their first columns.

        Args:
            columns: names of the table's columns.

        Raises:
            ArgumentError: a group has a column that the table has not.
        """
        group_of: dict[Any, str] = {}
        for name, members in self.groups or ():
            missing = [column for column in members if column not in columns]
            if missing:
                known = ", ".join(map(repr, columns[:10]))
                raise ArgumentError(f"group {name!r}: the table has no column {missing[0]!r}; it has {known}")
            group_of |= dict.fromkeys(members, name)
        places: dict[Any, list[int]] = {}
        for place, column in enumerate(columns):
            key = ("group", group_of[column]) if column in group_of else ("column", column)
            places.setdefault(key, []).append(place)
        return tuple((str(name), tuple(found)) for (_, name), found in places.items())

    def over(self, prepared: Prepared | Tensor) -> LabelUnits:
        layout = layout_of(prepared)
        unit = {place: number for number, (_, places) in enumerate(self.parts(layout.columns)) for place in places}
        return LabelUnits(torch.tensor([unit[places[0]] for _, places in layout.elements]))

    def settings(self) -> dict[str, Any]:
        groups = None if self.groups is None else {name: list(columns) for name, columns in self.groups}
        return {"name": "features", "groups": groups, "keep": self.keep}


def layout_of(prepared: Prepared | Tensor) -> Layout:
    """Layout of a prepared row.

    Raises:
        ArgumentError: the input is not a row of a table.
    """
    layout = prepared.geometry if isinstance(prepared, Prepared) else None
    if not isinstance(layout, Layout):
        raise ArgumentError("masks on features need a row of a table; use other masks for this input")
    return layout
