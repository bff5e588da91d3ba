"""Every public function, class and method of the package has a docstring."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from types import ModuleType

import relax


def modules() -> Iterator[ModuleType]:
    """All modules of the package whose optional dependencies are installed."""
    for info in pkgutil.walk_packages(relax.__path__, "relax.", onerror=lambda name: None):
        if info.name.endswith("__main__"):  # runs the command line on import
            continue
        try:
            yield importlib.import_module(info.name)
        except relax.errors.MissingExtraError:
            continue
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] == "relax":
                raise


def public_members(owner: ModuleType | type) -> Iterator[tuple[str, object]]:
    for name, member in vars(owner).items():
        if not name.startswith("_"):
            yield name, member


def is_documented_class(cls: type) -> bool:
    """Whether a class has its own docstring, other than the signature that dataclass() generates."""
    doc = vars(cls).get("__doc__")
    return bool(doc) and not doc.startswith(f"{cls.__name__}(")


def undocumented_methods(cls: type) -> Iterator[str]:
    """Public methods and properties without a docstring; overriding a documented method inherits its docstring."""
    kinds = (property, cached_property, staticmethod, classmethod)
    for name, member in public_members(cls):
        if (inspect.isfunction(member) or isinstance(member, kinds)) and not inspect.getdoc(getattr(cls, name)):
            yield name


def undocumented(module: ModuleType) -> Iterator[str]:
    for name, member in public_members(module):
        if getattr(member, "__module__", None) != module.__name__:
            continue
        place = f"{module.__name__}.{name}"
        if inspect.isclass(member):
            if not is_documented_class(member):
                yield place
            yield from (f"{place}.{method}" for method in undocumented_methods(member))
        elif inspect.isfunction(inspect.unwrap(member)) and not inspect.getdoc(member):
            yield place


def test_everything_public_is_documented():
    found = list(modules())
    assert len(found) > 50
    places = [f"{module.__name__} (module)" for module in found if not inspect.getdoc(module)]
    places += [place for module in found for place in undocumented(module)]
    assert not places, "without a docstring:\n" + "\n".join(sorted(places))
