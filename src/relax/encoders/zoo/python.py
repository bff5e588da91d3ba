"""``python:FILE.py:NAME``: an encoder from a Python file or module of the user."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from torch import nn

from relax.encoders.base import Encoder
from relax.errors import ArgumentError, EncoderError, InputError, RelaxError, first_line
from relax.modalities.table.modality import Table
from relax.modalities.table.reading import read_table
from relax.modalities.table.rows import names_of


def from_python(name: str, *, modality: str | None = None, data: str | None = None) -> Encoder:
    """An object from a Python file or module, which is run: an Encoder, or a model of inputs of a modality.

    Args:
        name: ``"FILE.py:NAME"`` or ``"package.module:NAME"``. NAME is a :class:`relax.Encoder`, an ``nn.Module``, any
            callable, or a fitted transformer or pipeline of scikit-learn.
        modality: kind of its inputs, for an object that is no Encoder; by default rows of a table for a transformer of
            scikit-learn, and pictures for anything else.
        data: a table that fills are taken from, for an encoder of rows that brings no reference data.

    Raises:
        ArgumentError: there is no such file, module or object, or it is no encoder.
        EncoderError: the file fails.
        InputError: the table cannot be read, or has no column that the encoder was fitted on.
    """
    found = _object(name)
    origin = {"name": f"python:{name}"}
    if isinstance(found, Encoder):
        encoder = copy.copy(found)
        encoder.name, encoder.origin = origin["name"], {**found.origin, **origin}
        needs = isinstance(found.modality, Table) and found.modality.reference_data is None
        if needs and data is not None:
            encoder.modality = Table(found.modality.transform, reference_data=read_table(Path(data)))
            encoder.origin["data"] = data
        return encoder
    transformer = not callable(found) and callable(getattr(found, "transform", None))
    if isinstance(found, type) or not (transformer or callable(found)):
        got = f"the class {found.__name__}" if isinstance(found, type) else type(found).__name__
        raise ArgumentError(
            f"python:{name}: expected a relax.Encoder, a fitted transformer of scikit-learn or a callable, got {got}"
        )
    kind: Any = modality or ("table" if transformer else None)
    if kind == "table" and isinstance(found, nn.Module):
        raise ArgumentError(
            f"python:{name}: a module does not read rows of tables; for series make it "
            "relax.Encoder(module, modality='series')"
        )
    model = found.transform if transformer and kind != "table" else found
    if kind == "table" and data is not None:
        kind = Table(reference_data=_fitted_columns(found, Path(data)))
        origin["data"] = data
    return Encoder(model, modality=kind, name=origin["name"], origin=origin)


def reads(name: str) -> str | None:
    """Kind of the inputs of an Encoder; ``None`` for an object that does not say.

    Args:
        name: as in :func:`from_python`.

    Raises:
        RelaxError: as in :func:`from_python`.
    """
    found = _object(name)
    return found.modality.name if isinstance(found, Encoder) else None


def _object(name: str) -> Any:
    """The object of a name."""
    place, colon, attribute = name.rpartition(":")
    if not colon or not place or not attribute:
        raise ArgumentError(f"expected an encoder as python:FILE.py:NAME or python:MODULE:NAME, got 'python:{name}'")
    module = _module(place)
    if not hasattr(module, attribute):
        known = [key for key in vars(module) if not key.startswith("_")]
        raise ArgumentError(f"{place}: there is no {attribute!r}; it has {', '.join(known[-10:]) or 'nothing'}")
    return getattr(module, attribute)


def _module(place: str) -> ModuleType:
    """Import a module by name, or run a file once."""
    file = Path(place)
    if file.suffix == ".py" and not file.is_file():
        raise ArgumentError(f"{place}: no such file")
    folder = str(file.resolve().parent if file.suffix == ".py" else Path.cwd())
    name = f"relax_encoder_{abs(hash(file.resolve()))}" if file.suffix == ".py" else place
    if name in sys.modules:
        return sys.modules[name]
    sys.path.insert(0, folder)
    try:
        if file.suffix != ".py":
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ArgumentError(f"{place}: expected a Python file")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except RelaxError:
        raise
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        missing = isinstance(error, ModuleNotFoundError) and f"{place}.".startswith(f"{error.name}.")
        if missing:
            raise ArgumentError(f"{place}: no such module; a file is named as python:FILE.py:NAME") from None
        raise EncoderError(f"{place}: fails when it is run: {type(error).__name__}: {first_line(error)}") from error
    finally:
        sys.path.remove(folder)


def _fitted_columns(model: Any, path: Path) -> Any:
    """A table with the columns that a model of scikit-learn was fitted on; all columns if it does not say."""
    frame = read_table(path)
    fitted = getattr(model, "feature_names_in_", None)
    if fitted is None:
        return frame
    names = np.asarray(fitted).tolist()
    missing = [column for column in names if column not in frame.columns]
    if missing:
        raise InputError(
            f"{path}: has no column {names_of(missing)}, which the encoder was fitted on; "
            f"it has {names_of(list(frame.columns))}"
        )
    return frame[names]
