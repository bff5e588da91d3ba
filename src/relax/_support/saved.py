"""File format of explanations: validation and migration of a file's contents."""

from __future__ import annotations

from typing import Any

import numpy as np

SCHEMA = 3
"""Version of the file format; files of a higher version are rejected."""

MAPS = ("importance", "uncertainty", "standard_error")

NUMBERS: dict[str, type | tuple[type, ...]] = {
    "n_masks": int,
    "n_blocks": int,
    "degrees_of_freedom": int,
    "reliability": (int, float),
    "score": (int, float),
    "measures": dict,
    "signed": bool,
    "neutral": (int, float),
    "settings": dict,
}
"""Fields of a file's JSON description, and their types."""

_SETTINGS: dict[str, type | tuple[type, ...]] = {
    "method": str,
    "encoder": dict,
    "input": dict,
    "cost": dict,
    "against": (dict, type(None)),
}


def checked(arrays: dict[str, np.ndarray], about: Any) -> dict[str, Any]:
    """Validate the contents of a file, and convert them to arguments of :class:`relax.Explanation`.

    Args:
        arrays: arrays by name.
        about: JSON description.

    Raises:
        ValueError: the contents are not those of an explanation.
        KeyError: the settings lack an entry.
        TypeError: an entry is of the wrong type.
    """
    if not isinstance(about, dict):
        raise ValueError("its description is not a mapping")
    schema = about.pop("schema", None)
    if not isinstance(schema, int) or isinstance(schema, bool) or not 1 <= schema <= SCHEMA:
        raise ValueError(f"expected schema 1 to {SCHEMA}, got {schema!r}; update relax")
    if schema < 3:
        arrays, about = _migrated(arrays, about)
    missing = ({"importance"} - set(arrays)) | (set(NUMBERS) - set(about))
    if missing:
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    text, labels, spans = (about.pop(name, None) for name in ("text", "labels", "spans"))
    _check_types(about, NUMBERS)
    _check_types(about["settings"], _SETTINGS)
    inputs = {name.removeprefix("input "): arrays.pop(name) for name in list(arrays) if name.startswith("input ")}
    if not isinstance(text, (str, type(None))):
        raise ValueError("its text is not a string")
    presentation = arrays.pop("presentation", text)
    shape = arrays["importance"].shape
    if unknown := set(arrays) - set(MAPS):
        raise ValueError(f"it has unknown parts: {', '.join(sorted(unknown))[:80]}")
    if any(values.shape != shape or values.dtype.kind != "f" for values in arrays.values()) or not shape:
        raise ValueError("expected floating-point maps of one shape")
    if labels is not None and (len(labels) != shape[0] or not all(isinstance(label, str) for label in labels)):
        raise ValueError("expected one label per row of its maps")
    return {
        **dict.fromkeys(MAPS),
        **arrays,
        **about,
        "inputs": inputs,
        "presentation": presentation,
        "labels": None if labels is None else tuple(labels),
        "spans": None if spans is None else tuple((int(start), int(stop)) for start, stop in spans),
    }


def _check_types(values: dict[str, Any], types: dict[str, type | tuple[type, ...]]) -> None:
    for name, kind in types.items():
        value = values.get(name)
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise ValueError(f"its {name} has an invalid value {str(value)[:40]!r}")
    if types is NUMBERS and (unknown := set(values) - set(types)):
        raise ValueError(f"it has unknown parts: {', '.join(sorted(map(str, unknown)))[:80]}")


def _migrated(arrays: dict[str, np.ndarray], about: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Contents of a file of schema 1 or 2, converted to schema 3."""
    if "input" not in arrays or "units" not in about or not isinstance(about.get("settings"), dict):
        raise ValueError("it lacks its input, units or settings")
    about = {"neutral": 0.0, **about, "measures": about["units"]}
    del about["units"]
    kind = "image" if arrays["importance"].ndim == 2 else "vector"
    source = about["settings"].get("input")
    if isinstance(source, dict) and isinstance(source.get("view"), list):
        source = {**{name: value for name, value in source.items() if name != "view"}, "box": source["view"]}
    about["settings"] = {**about["settings"], "modality": kind, "input": source}
    arrays = {f"input {kind}" if name == "input" else name: values for name, values in arrays.items()}
    if "picture" in arrays:
        arrays["presentation"] = arrays.pop("picture")
    return arrays, about
