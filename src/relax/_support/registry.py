"""Tables of names, used for everything that users choose by name and that other packages may add to."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from relax.errors import ArgumentError, UnknownNameError, first_line

T = TypeVar("T")

HOMES = {
    "method": "relax.methods:METHODS",
    "masks": "relax.modalities.masks:MASKS",
    "fill": "relax.modalities.fills:FILLS",
    "design": "relax.estimation.designs:DESIGNS",
    "reference": "relax.references:REFERENCES",
    "similarity": "relax.references.similarity:SIMILARITIES",
    "encoder": "relax.encoders.loading:ENCODERS",
    "modality": "relax.modalities:MODALITIES",
    "metric": "relax.evaluation.metrics:METRICS",
    "dataset": "relax.datasets:DATASETS",
}
"""What can be registered, and the table that holds it."""

BASES = {
    "method": "relax.methods.base:Method",
    "masks": "relax.modalities.units:Masks",
    "fill": "relax.modalities.fills:Fill",
    "reference": "relax.references.base:Against",
    "modality": "relax.modalities.base:Modality",
}
"""What classes that are registered derive from."""


class Registry(Generic[T]):
    """Maps names to things of one kind, which are imported when they are first asked for.

    Three sources, in this order: what was added by hand, the package's own entries, and entry points of installed
    packages in the group ``relax.KIND``, such as ``[project.entry-points."relax.method"]``.

    Args:
        kind: what the things are, in the singular, for messages: ``"fill"``.
        entries: the package's own, by name: ``"module:attribute"`` each.
        group: the entry points; none if not given.

    Example:
        >>> fruit = Registry("fruit", {"apple": "math:pi"})
        >>> fruit.add("pear", 2.0)
        >>> fruit["pear"], list(fruit)
        (2.0, ['apple', 'pear'])
    """

    def __init__(self, kind: str, entries: Mapping[str, str] | None = None, group: str | None = None) -> None:
        self.kind = kind
        self._entries: dict[str, str | EntryPoint] = dict(entries or {})
        self._things: dict[str, T] = {}
        self._group = group

    def add(self, name: str, thing: T) -> None:
        """Register ``thing`` under ``name``, replacing what had the name."""
        self._things[name] = thing
        self._entries.setdefault(name, "")  # keeps the order of names

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __getitem__(self, name: str) -> T:
        entries = self._all()
        if not isinstance(name, str):
            raise UnknownNameError(f"expected the name of a {self.kind}, got {name!r}; available: {', '.join(entries)}")
        if name not in entries:
            close = difflib.get_close_matches(name, entries, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise UnknownNameError(f"unknown {self.kind} {name!r}; available: {', '.join(entries)}.{hint}")
        if name not in self._things:
            self._things[name] = self._loaded(name, entries[name])
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def name_of(self, thing: object) -> str | None:
        """The name of a thing that was registered or has been asked for; imports nothing."""
        return next((name for name, known in self._things.items() if known is thing), None)

    def items(self) -> Iterator[tuple[str, T]]:
        """Names and things, in the order in which they were registered; imports all of them."""
        return ((name, self[name]) for name in list(self))

    def _all(self) -> dict[str, str | EntryPoint]:
        """Every name; entry points are looked up once."""
        if self._group is not None:
            group, self._group = self._group, None
            for point in entry_points(group=group):
                self._entries.setdefault(point.name, point)
        return self._entries

    def _loaded(self, name: str, entry: str | EntryPoint) -> T:
        if isinstance(entry, str):
            return resolved(entry)  # type: ignore[no-any-return]
        try:
            return entry.load()  # type: ignore[no-any-return]
        except (ImportError, AttributeError) as error:
            raise ArgumentError(
                f"{self.kind} {name!r} of an installed package cannot be imported from {entry.value}: "
                f"{first_line(error)}; mend or uninstall that package"
            ) from error


def resolved(place: str) -> Any:
    """What ``"module:attribute"`` names."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def registry_of(kind: str) -> Registry[Any]:
    """The table of a kind of thing that can be registered.

    Raises:
        UnknownNameError: no such kind; the message lists them.
    """
    return Registry[Registry[Any]]("kind of thing", HOMES)[kind]


def _check(kind: str, name: str, thing: Any) -> None:
    """Raise unless a thing is of the kind, and of the name, that it is registered as."""
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"expected a name for a {kind}, got {name!r}")
    if kind not in BASES:
        return
    base = resolved(BASES[kind])
    if not isinstance(thing, type) or not issubclass(thing, base):
        got = thing.__name__ if isinstance(thing, type) else type(thing).__name__
        raise ArgumentError(f"expected a subclass of {base.__name__} as {kind}, got {got}")
    own = getattr(thing, "name", name)
    if own != name and kind in ("method", "modality"):
        raise ArgumentError(f"expected {thing.__name__}.name to be {name!r}, got {own!r}; they must be the same")


def register(kind: str, name: str, thing: Any = None) -> Any:
    """Make something of your own available by name, wherever the package's own things are.

    Args:
        kind: ``"method"``, ``"masks"``, ``"fill"``, ``"design"``, ``"reference"``, ``"similarity"``, ``"encoder"``,
            ``"modality"``, ``"metric"`` or ``"dataset"``.
        name: what users will call it; an existing name is replaced.
        thing: what to register: a subclass of :class:`relax.Method`, :class:`relax.Masks`, :class:`relax.Fill`,
            :class:`relax.Modality` or :class:`relax.references.Against`; an instance of a design, similarity, metric,
            encoder family or data source. Left out, ``register`` is a decorator.

    Returns:
        ``thing``, or the decorator.

    Raises:
        UnknownNameError: no such kind.
        ArgumentError: the thing is not of that kind.

    Example:
        >>> import relax
        >>> @relax.register("similarity", "overlap")
        ... def overlap(representations, reference):
        ...     return representations.minimum(reference).sum(1)
        >>> "overlap" in relax.similarity.SIMILARITIES
        True
    """
    table = registry_of(kind)

    def add(one: Any) -> Any:
        _check(kind, name, one)
        table.add(name, one)
        return one

    return add if thing is None else add(thing)
