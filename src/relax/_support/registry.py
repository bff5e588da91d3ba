"""Registries of everything that users select by name and that other packages can extend."""

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
"""Registry of each kind of object, as ``"module:attribute"``."""

BASES = {
    "method": "relax.methods.base:Method",
    "masks": "relax.modalities.units:Masks",
    "fill": "relax.modalities.fills:Fill",
    "reference": "relax.references.base:Against",
    "modality": "relax.modalities.base:Modality",
}
"""Required base class of registered classes, as ``"module:attribute"``."""


class Registry(Generic[T]):
    """Maps names to objects of one kind, which are imported on first access.

    Looks names up among objects registered at run time, then the package's own entries, then entry points of installed
    packages in the group ``relax.KIND``, such as ``[project.entry-points."relax.method"]``.

    Args:
        kind: kind of the objects in the singular, for messages: ``"fill"``.
        entries: the package's own objects by name, as ``"module:attribute"``.
        group: entry point group; ``None`` ignores entry points.

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
        """Register an object under a name, replacing an existing entry.

        Args:
            name: the name.
            thing: the object.
        """
        self._things[name] = thing
        self._entries.setdefault(name, "")  # keep the order of names

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __getitem__(self, name: str) -> T:
        entries = self._all()
        if not isinstance(name, str):
            raise UnknownNameError(f"expected the name of a {self.kind}, got {name!r}; available: {', '.join(entries)}")
        if name not in entries:
            matches = difflib.get_close_matches(name, entries, n=1)
            hint = f" Did you mean {matches[0]!r}?" if matches else ""
            raise UnknownNameError(f"unknown {self.kind} {name!r}; available: {', '.join(entries)}.{hint}")
        if name not in self._things:
            self._things[name] = self._loaded(name, entries[name])
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def name_of(self, thing: object) -> str | None:
        """Name of an object that was registered or accessed before, else ``None``; imports nothing."""
        return next((name for name, registered in self._things.items() if registered is thing), None)

    def items(self) -> Iterator[tuple[str, T]]:
        """Names and objects in order of registration; imports all of them."""
        return ((name, self[name]) for name in list(self))

    def _all(self) -> dict[str, str | EntryPoint]:
        """All entries by name; entry points are looked up once."""
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
                f"{first_line(error)}; fix or uninstall that package"
            ) from error


def resolved(path: str) -> Any:
    """Import the object at ``"module:attribute"``."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


def registry_of(kind: str) -> Registry[Any]:
    """Look up the registry of a kind of object, such as ``"fill"``.

    Raises:
        UnknownNameError: there is no such kind; the message lists the available kinds.
    """
    return Registry[Registry[Any]]("kind of thing", HOMES)[kind]


def _check(kind: str, name: str, thing: Any) -> None:
    """Check that an object fits the kind and the name it is registered under."""
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"expected a name for a {kind}, got {name!r}")
    if kind in ("similarity", "encoder") and (isinstance(thing, type) or not callable(thing)):
        raise ArgumentError(f"expected a function or a callable instance as {kind}, got {thing!r}")
    if kind in ("metric", "design", "dataset") and isinstance(thing, type):
        raise ArgumentError(f"expected an instance as {kind}, got the class {thing.__name__}")
    if kind not in BASES:
        return
    base = resolved(BASES[kind])
    if not isinstance(thing, type) or not issubclass(thing, base):
        got = thing.__name__ if isinstance(thing, type) else type(thing).__name__
        raise ArgumentError(f"expected a subclass of {base.__name__} as {kind}, got {got}")
    class_name = getattr(thing, "name", name)
    if class_name != name and kind in ("method", "modality"):
        raise ArgumentError(f"expected {thing.__name__}.name to be {name!r}, got {class_name!r}; make them equal")


def register(kind: str, name: str, thing: Any = None) -> Any:
    """Register your own object by name, next to the package's own.

    Args:
        kind: ``"method"``, ``"masks"``, ``"fill"``, ``"design"``, ``"reference"``, ``"similarity"``, ``"encoder"``,
            ``"modality"``, ``"metric"`` or ``"dataset"``.
        name: name for users; replaces an existing entry.
        thing: object to register: a subclass of :class:`relax.Method`, :class:`relax.Masks`, :class:`relax.Fill`,
            :class:`relax.Modality` or :class:`relax.references.Against`; an instance for a design, similarity, metric,
            encoder family or dataset. If omitted, ``register`` is a decorator.

    Returns:
        ``thing``, or the decorator.

    Raises:
        UnknownNameError: there is no such kind.
        ArgumentError: the object is not of that kind.

    Example:
        >>> import relax
        >>> @relax.register("similarity", "overlap")
        ... def overlap(representations, reference):
        ...     return representations.minimum(reference).sum(1)
        >>> "overlap" in relax.similarity.SIMILARITIES
        True
    """
    registry = registry_of(kind)

    def add(item: Any) -> Any:
        _check(kind, name, item)
        registry.add(name, item)
        return item

    return add if thing is None else add(thing)
