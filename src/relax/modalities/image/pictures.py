"""Reading pictures: from files and arrays to upright RGB images."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image, ImageOps, UnidentifiedImageError

from relax.errors import InputError, RelaxWarning
from relax.modalities.files import not_found

MAX_PIXELS = 100_000_000
"""Maximum number of pixels; larger pictures are rejected before decoding."""

THUMBNAIL = 1024
"""Maximum side in pixels of the picture stored with an explanation."""

BITS, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339
"""Tags of TIFF files: bits per channel, what the values mean, and the type of numbers."""

WHITE_IS_ZERO, SIGNED = 0, 2
"""Values of the latter two tags; Pillow inverts pictures of 8 bits itself."""

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""File extensions of pictures in a folder."""


def open_picture(path: str | PathLike[str]) -> Image.Image:
    """Read a file as an upright RGB picture.

    Emits a :class:`RelaxWarning` if it reads only the first frame of an animation, composites an alpha channel on
    white, or scales 16-bit values to 8 bits.

    Args:
        path: the file.

    Raises:
        InputError: the file is missing, empty, damaged, not a picture, or has more than ``MAX_PIXELS`` pixels.
    """
    looks_like_text = isinstance(path, str) and not Path(path).suffix and "/" not in path
    given, path = path, Path(path)
    if path.is_dir():
        raise InputError(f"{path}: expected a picture, got a folder")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty")
        with warnings.catch_warnings():
            # MAX_PIXELS is lower than the limit at which Pillow raises an error
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                _check_size(image.size, str(path))
                image.load()
                return upright_rgb(image, str(path))
    except FileNotFoundError:
        hint = '; for a text, give the encoder modality="text"' if looks_like_text else ""
        raise not_found(given, f"file{hint}") from None
    except UnidentifiedImageError:
        hint = "; save it with 8 bits per channel" if path.suffix.lower() in (".tif", ".tiff") else ""
        raise InputError(f"{path}: not a picture in a format that Pillow {PIL.__version__} reads{hint}") from None
    except Image.DecompressionBombError:
        raise InputError(f"{path}: the picture has more than {MAX_PIXELS:,} pixels; make it smaller first") from None
    except (OSError, SyntaxError, ValueError) as error:  # raised by Pillow's decoders on damaged files
        if isinstance(error, InputError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{path}: cannot be read as a picture: {reason}") from error


def upright_rgb(image: Image.Image, name: str = "picture") -> Image.Image:
    """Convert a Pillow image to upright RGB, with a warning if information is lost.

    Args:
        image: image of any mode; for an animation, the current frame is used.
        name: name of the image, for messages.

    Raises:
        InputError: the image is empty, has more than ``MAX_PIXELS`` pixels, or has values out of range.
    """
    _check_size(image.size, name)
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        _warn(f"{name}: has {frames} frames; the first is used")
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    _check_numbers(image.mode, tags, name)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        return _scaled_to_8_bits(image, name, inverted=tags.get(PHOTOMETRIC) == WHITE_IS_ZERO)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        if np.asarray(rgba.getchannel("A")).min() < 255:
            _warn(f"{name}: has transparent parts; they are composited on white")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def from_array(array: np.ndarray, name: str = "array") -> Image.Image:
    """Convert a numpy array to an upright RGB picture.

    Args:
        array: ``(H, W)`` or ``(H, W, C)`` with 1, 3 or 4 channels, uint8, or float in [0, 1].
        name: name of the array, for messages.

    Raises:
        InputError: the array has another shape or type, or values out of range.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise InputError(f"{name}: expected a picture of shape (H, W, 3), (H, W, 4) or (H, W), got {array.shape}")
    if 0 in array.shape:
        raise InputError(f"{name}: expected a picture, got an empty array of shape {array.shape}")
    if array.dtype != np.uint8:
        if not np.issubdtype(array.dtype, np.floating):
            raise InputError(f"{name}: expected uint8 or float in [0, 1], got {array.dtype}")
        if not np.isfinite(array).all():
            raise InputError(f"{name}: has NaN or infinite values")
        low, high = float(array.min()), float(array.max())
        if low < 0 or high > 1:
            raise InputError(f"{name}: expected floats in [0, 1], got values from {low:.4g} to {high:.4g}")
        array = np.round(array * 255).astype(np.uint8)
    return upright_rgb(Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array), name)


def fingerprint(image: Image.Image) -> str:
    """SHA-256 of the pixels and the size of a picture, as hexadecimal digits."""
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()


def files_in(folder: Path) -> list[Path]:
    """Files in a folder with a picture's extension, not recursive, sorted."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def describe(source: Any) -> str:
    """Short description of an input, for messages and provenance."""
    if isinstance(source, (str, PathLike)):
        return str(fspath(source))
    if isinstance(source, Image.Image):
        return getattr(source, "filename", "") or "PIL image"
    return "array" if isinstance(source, np.ndarray) else "tensor"


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise InputError(f"{name}: expected a picture with pixels, got {width}x{height}")
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{name}: {width}x{height} is more than the limit of {MAX_PIXELS:,} pixels; make the picture smaller first"
        )


def _check_numbers(mode: str, tags: Mapping[int, Any], name: str) -> None:
    """Refuse the integers of a TIFF file whose white is not known, or that Pillow does not tell from unsigned ones."""
    signed = SIGNED in tags.get(SAMPLE_FORMAT, ())
    if tags and (signed or mode == "I"):
        got = f"{'signed ' if signed else ''}{tags[BITS][0]}-bit integers"
        raise InputError(
            f"{name}: expected unsigned 8- or 16-bit values, or floats in [0, 1], got {got}; scale them to 8 bits first"
        )


def _scaled_to_8_bits(image: Image.Image, name: str, inverted: bool) -> Image.Image:
    """A picture of one channel of 16-bit or float values as RGB; parts of its transparent value are white."""
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{name}: has NaN or infinite values")
    if image.mode.startswith("I"):
        maximum, what = 65535.0, "16-bit values"
    else:
        maximum, what = 1.0, "float values"
    if values.min() < 0 or values.max() > maximum:
        got = f"{values.min():g} to {values.max():g}"
        raise InputError(f"{name}: expected {what} in 0-{maximum:g}, got {got}; scale them first")
    _warn(f"{name}: {what} are scaled to 8 bits")
    if inverted:
        values = maximum - values
    clear = values == image.info.get("transparency")
    if clear.any():
        _warn(f"{name}: has transparent parts; they are composited on white")
        values = np.where(clear, maximum, values)
    return Image.fromarray(np.round(values * (255 / maximum)).astype(np.uint8)).convert("RGB")


def _warn(message: str) -> None:
    warnings.warn(message, RelaxWarning, stacklevel=4)


def pictures_below(folder: Path) -> list[Path]:
    """Files in a folder and its subfolders with a picture's extension, as absolute paths, sorted.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: {'expected a folder, got a file' if folder.exists() else 'no such folder'}")
    files = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted({path.resolve() for path in files})  # list a file once, however many links lead to it


def thumbnail(picture: Image.Image | None) -> np.ndarray | None:
    """Downsize a picture to ``(h, w, 3)`` uint8 with at most ``THUMBNAIL`` pixels per side; ``None`` stays ``None``."""
    if picture is None:
        return None
    small = picture.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return np.asarray(small)
