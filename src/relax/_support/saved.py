"""The saved form of an explanation: from the parts of a file to checked values."""

from __future__ import annotations

from typing import Any

import numpy as np

SCHEMA = 3
"""Version of the saved form; a file with a higher one is refused."""

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
"""What a file's description holds, and its types."""

_SETTINGS: dict[str, type | tuple[type, ...]] = {
    "method": str,
    "encoder": dict,
    "input": dict,
    "cost": dict,
    "against": (dict, type(None)),
}


def checked(arrays: dict[str, np.ndarray], about: Any) -> dict[str, Any]:
    """Arguments of an Explanation from the parts of a file; errors say what is wrong with them."""
    if not isinstance(about, dict):
        raise ValueError("its description is no mapping")
    schema = about.pop("schema", None)
    if not isinstance(schema, int) or isinstance(schema, bool) or not 1 <= schema <= SCHEMA:
        raise ValueError(f"has schema {schema!r}, this version of relax reads 1 to {SCHEMA}; update relax")
    if schema < 3:
        arrays, about = _from_earlier(arrays, about)
    missing = ({"importance"} - set(arrays)) | (set(NUMBERS) - set(about))
    if missing:
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    text, labels, spans = (about.pop(name, None) for name in ("text", "labels", "spans"))
    _check_types(about, NUMBERS)
    _check_types(about["settings"], _SETTINGS)
    inputs = {name.removeprefix("input "): arrays.pop(name) for name in list(arrays) if name.startswith("input ")}
    if not isinstance(text, (str, type(None))):
        raise ValueError("its text is no text")
    presentation = arrays.pop("presentation", text)
    shape = arrays["importance"].shape
    if unknown := set(arrays) - set(MAPS):
        raise ValueError(f"it has unknown parts: {', '.join(sorted(unknown))[:80]}")
    if any(values.shape != shape or values.dtype.kind != "f" for values in arrays.values()) or not shape:
        raise ValueError("its maps are of different shapes, or no maps")
    if labels is not None and (len(labels) != shape[0] or not all(isinstance(label, str) for label in labels)):
        raise ValueError("its labels do not belong to its maps")
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
            raise ValueError(f"its {name} is {str(value)[:40]!r}, which it should not be")
    if types is NUMBERS and (unknown := set(values) - set(types)):
        raise ValueError(f"it has unknown parts: {', '.join(sorted(map(str, unknown)))[:80]}")


def _from_earlier(arrays: dict[str, np.ndarray], about: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Parts of a file of schema 1 or 2 as they are called today."""
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
