"""Every depth, colour model and orientation of a picture gives the pixels that are known to be in it."""

import struct
import warnings
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

import relax
from relax.modalities.image.pictures import open_picture

GREY = np.linspace(0, 255, 48).reshape(6, 8).round().astype(np.uint8)
DEEP = GREY.astype(np.uint16) * 257
COLOR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)


def read(path) -> tuple[np.ndarray, list[str]]:
    """The pixels of a file, and the notes on it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return np.asarray(open_picture(path)), [str(warning.message) for warning in caught]


def write_png(path, color_type, values, extra=b""):
    """Write 16-bit values ``(H, W, C)`` as PNG, which Pillow does for one channel only."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, color_type, 0, 0, 0)
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


@pytest.mark.parametrize("kind", [np.uint32, np.int32, np.int16, np.int8])
@pytest.mark.parametrize("top", [100, 1])
def test_integers_whose_white_is_not_known_are_refused(tmp_path, kind, top):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, (GREY > 127).astype(kind) * kind(top))
    signed, bits = "signed " if np.issubdtype(kind, np.signedinteger) else "", 8 * np.dtype(kind).itemsize
    with pytest.raises(relax.InputError) as caught:
        open_picture(path)
    assert str(caught.value) == (
        f"{path}: expected unsigned 8- or 16-bit values, or floats in [0, 1], got {signed}{bits}-bit integers; "
        "scale them to 8 bits first"
    )
    with Image.open(path) as image, pytest.raises(relax.InputError, match=f"got {signed}{bits}-bit integers"):
        relax.explain(relax.Encoder(lambda x: x.flatten(1), transform=relax.ImageTransform((8, 8))), image)


@pytest.mark.parametrize(
    ("order", "meaning", "bits"),
    [
        *(("<", meaning, bits) for meaning in ("minisblack", "miniswhite") for bits in (8, 16)),
        *((">", "minisblack", bits) for bits in (8, 16)),
        (">", "miniswhite", 8),  # Pillow does not read it with 16 bits
    ],
)
def test_grey_tiff_of_either_order_and_meaning(tmp_path, order, meaning, bits):
    values = GREY if bits == 8 else DEEP
    values = values if meaning == "minisblack" else ~values
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=order, photometric=meaning)
    pixels, notes = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels, np.stack([GREY] * 3, axis=2))
    assert [note.split(": ")[1] for note in notes] == ["16-bit values are scaled to 8 bits"] * (bits == 16)


def test_float_tiff(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", (GREY / 255).astype(np.float32))
    pixels, notes = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels[:, :, 0], GREY)
    assert notes == [f"{tmp_path / 'a.tif'}: float values are scaled to 8 bits"]
    tifffile.imwrite(tmp_path / "b.tif", GREY.astype(np.float32))
    with pytest.raises(relax.InputError, match="expected float values in 0-1, got 0 to 255; scale them first"):
        open_picture(tmp_path / "b.tif")
    tifffile.imwrite(tmp_path / "c.tif", COLOR.astype(np.float32) / 255, photometric="rgb")
    with pytest.raises(relax.InputError, match=r"not a picture in a format .*; save it with 8 bits per channel"):
        open_picture(tmp_path / "c.tif")


def test_sixteen_bits_in_colour(tmp_path):
    deep = COLOR.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb")
    write_png(tmp_path / "a.png", 2, deep)
    for name in ("a.tif", "a.png"):
        pixels, _ = read(tmp_path / name)
        np.testing.assert_array_equal(pixels, COLOR)


def test_sixteen_bits_with_transparency(tmp_path):
    opaque = np.full_like(DEEP, 65535)
    opaque[:3] = 0
    expected = GREY.copy()
    expected[:3] = 255
    write_png(tmp_path / "grey.png", 4, np.dstack([DEEP, opaque]))
    write_png(tmp_path / "color.png", 6, np.dstack([DEEP, DEEP, DEEP, opaque]))
    for name in ("grey.png", "color.png"):
        pixels, notes = read(tmp_path / name)
        np.testing.assert_array_equal(pixels[:, :, 1], expected)
        assert any("transparent parts; they are composited on white" in note for note in notes)
    key = b"\0\0\0\2tRNS" + struct.pack(">H", DEEP[0, 0])
    write_png(tmp_path / "key.png", 0, DEEP[:, :, None], key + struct.pack(">I", zlib.crc32(key[4:])))
    pixels, notes = read(tmp_path / "key.png")
    np.testing.assert_array_equal(pixels[:, :, 0], np.where(GREY[0, 0] == GREY, 255, GREY))
    assert notes[-1].endswith("has transparent parts; they are composited on white")


def test_one_bit(tmp_path):
    for name in ("a.png", "a.tif"):
        Image.fromarray(GREY > 127).save(tmp_path / name)
        pixels, notes = read(tmp_path / name)
        np.testing.assert_array_equal(pixels[:, :, 2], np.where(GREY > 127, 255, 0))
        assert notes == []


def test_half_transparent_grey_and_palette(tmp_path):
    opaque = np.full_like(GREY, 255)
    opaque[:3] = 51  # a fifth of the grey on white
    blended = np.where(opaque == 51, 0.2 * GREY + 0.8 * 255, GREY)
    Image.fromarray(np.dstack([GREY, opaque]), "LA").save(tmp_path / "grey.png")
    pixels, notes = read(tmp_path / "grey.png")
    assert np.abs(pixels[:, :, 0] - blended).max() <= 1
    assert notes == [f"{tmp_path / 'grey.png'}: has transparent parts; they are composited on white"]
    palette = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8), "P")
    palette.putpalette(COLOR.reshape(48, 3).ravel().tolist())
    palette.save(tmp_path / "palette.png", transparency=bytes([0] * 8 + [255] * 40))
    pixels, notes = read(tmp_path / "palette.png")
    np.testing.assert_array_equal(pixels[0], 255)
    np.testing.assert_array_equal(pixels[1:], COLOR[1:])
    assert len(notes) == 1


def test_cmyk_is_paper_without_ink(tmp_path):
    ink = np.zeros((6, 8, 4), np.uint8)
    ink[:, 2:4, 0] = ink[:, 4:6, 1] = ink[:, 6:, 3] = 255
    Image.fromarray(ink, "CMYK").save(tmp_path / "a.tif")
    pixels, _ = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels[0, ::2], [[255, 255, 255], [0, 255, 255], [255, 0, 255], [0, 0, 0]])


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_the_first_of_several_frames_is_read_and_said(tmp_path, name):
    first, *others = (Image.new("RGB", (8, 6), color) for color in ("red", "lime", "blue"))
    lossless = {"lossless": True} if name == "a.webp" else {}
    first.save(tmp_path / name, save_all=True, append_images=others, **lossless)
    pixels, notes = read(tmp_path / name)
    assert (pixels == (255, 0, 0)).all()
    assert notes == [f"{tmp_path / name}: has 3 frames; the first is used"]


UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}
"""What is shown, from what is stored, by the orientation in EXIF."""


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "deep.png"])
def test_every_orientation_is_turned_upright(tmp_path, orientation, name):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.stack([GREY] * 3, axis=2) if name == "deep.png" else COLOR
    image = Image.fromarray(DEEP if name == "deep.png" else COLOR)
    image.save(tmp_path / name, exif=exif, **({"lossless": True} if name == "a.webp" else {}))
    np.testing.assert_array_equal(read(tmp_path / name)[0], UPRIGHT[orientation](stored))
