"""Pictures as people have them: every format and every kind of damage."""

import warnings

import numpy as np
import pytest
from PIL import Image

import relax
from relax.modalities.image.pictures import MAX_PIXELS, files_in, from_array, open_picture

GRADIENT = np.linspace(0, 255, 40 * 60).reshape(40, 60).astype(np.uint8)
COLOR = np.stack([GRADIENT, GRADIENT[::-1], 255 - GRADIENT], axis=2)


def quiet(function, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return function(*arguments)


def test_an_ordinary_picture_is_read_as_it_is(tmp_path):
    Image.fromarray(COLOR).save(tmp_path / "a.png")
    np.testing.assert_array_equal(quiet(open_picture, tmp_path / "a.png"), COLOR)


def test_grayscale_palette_and_cmyk_become_rgb(tmp_path):
    image = Image.fromarray(COLOR)
    for name, mode in (
        ("gray.png", "L"),
        ("one.png", "1"),
        ("palette.png", "P"),
        ("ink.jpg", "CMYK"),
        ("ycc.jpg", "YCbCr"),
    ):
        image.convert(mode).save(tmp_path / name)
        picture = quiet(open_picture, tmp_path / name)
        assert picture.mode == "RGB"
        expected = np.asarray(image.convert(mode).convert("RGB"), float)
        assert np.abs(np.asarray(picture, float) - expected).mean() < 6  # JPEG loses a little


def test_sixteen_bits_are_scaled_and_said_so(tmp_path):
    Image.fromarray(GRADIENT.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    with pytest.warns(relax.RelaxWarning, match="16-bit values are scaled to 8 bits"):
        picture = open_picture(tmp_path / "deep.png")
    np.testing.assert_array_equal(np.asarray(picture)[:, :, 0], GRADIENT)


def test_transparency_is_composited_on_white_and_said_so(tmp_path):
    rgba = np.dstack([COLOR, np.zeros_like(GRADIENT)])
    rgba[:20, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "cut-out.png")
    with pytest.warns(relax.RelaxWarning, match=r"cut-out\.png: has transparent parts"):
        picture = np.asarray(open_picture(tmp_path / "cut-out.png"))
    np.testing.assert_array_equal(picture[:20], COLOR[:20])
    assert (picture[20:] == 255).all()
    rgba[:, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "opaque.png")
    np.testing.assert_array_equal(quiet(open_picture, tmp_path / "opaque.png"), COLOR)


def test_the_first_frame_of_an_animation_is_used_and_said_so(tmp_path):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.warns(relax.RelaxWarning, match="has 3 frames; the first is used"):
        picture = open_picture(tmp_path / "a.gif")
    assert picture.getpixel((0, 0)) == (255, 0, 0)


def test_a_rotated_jpeg_is_turned_upright(tmp_path):
    image = Image.new("RGB", (80, 40), "blue")
    image.paste("red", (0, 0, 40, 40))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees to see it upright
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    upright = quiet(open_picture, tmp_path / "turned.jpg")
    assert upright.size == (40, 80)
    assert upright.getpixel((20, 10))[0] > 200
    assert upright.getpixel((20, 70))[2] > 200


def test_a_single_pixel_is_a_picture(tmp_path):
    Image.new("RGB", (1, 1), "red").save(tmp_path / "dot.png")
    assert open_picture(tmp_path / "dot.png").size == (1, 1)


@pytest.mark.parametrize("size", [(3000, 2), (2, 3000)])
def test_a_picture_of_one_line_when_shown_has_a_figure(tmp_path, size):
    Image.new("RGB", size, "red").save(tmp_path / "line.png")
    encoder = relax.Encoder(lambda x: x.flatten(1), transform=relax.ImageTransform((14, 14)))
    e = relax.explain(encoder, tmp_path / "line.png", n_masks=64)
    assert 1 in e.presentation.shape
    e.plot(tmp_path / "figure.png")
    relax.match(encoder, tmp_path / "line.png", tmp_path / "line.png", n_masks=64).plot(tmp_path / "pair.png")


def broken(folder):
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("not a picture")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)).save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "folder.png").mkdir()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.png", "no such file"),
        ("empty.png", "the file is empty"),
        ("text.png", "not a picture"),
        ("truncated.jpg", "cannot be read as a picture: .*truncated"),
        ("folder.png", "got a folder"),
    ],
)
def test_files_that_are_no_pictures(tmp_path, name, words):
    broken(tmp_path)
    with pytest.raises(relax.InputError, match=words) as caught:
        open_picture(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    with pytest.raises(relax.InputError, match=f"more than .*{MAX_PIXELS:,} pixels"):
        open_picture(tmp_path / "huge.png")
    Image.new("1", (11_000, 10_000)).save(tmp_path / "large.png")
    with pytest.raises(relax.InputError, match=f"11000x10000 is more than the limit of {MAX_PIXELS:,} pixels"):
        open_picture(tmp_path / "large.png")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((4, 4, 3), 1.5), r"floats in \[0, 1\], got values from 1.5 to 1.5"),
        (np.full((4, 4, 3), -0.1), r"floats in \[0, 1\]"),
        (np.full((4, 4, 3), np.nan), "NaN or infinite"),
        (np.zeros((4, 4, 3), np.int64), "expected uint8 or float"),
        (np.zeros((4, 4, 2)), r"expected a picture of shape \(H, W, 3\)"),
        (np.zeros((3,)), r"expected a picture of shape"),
        (np.zeros((0, 4, 3)), "empty array"),
    ],
)
def test_arrays_that_are_no_pictures(array, words):
    with pytest.raises(relax.InputError, match=words):
        from_array(array)


def test_arrays_in_every_form_are_one_picture():
    for array in (GRADIENT, GRADIENT[:, :, None], GRADIENT / 255, (GRADIENT / 255).astype(np.float32)):
        np.testing.assert_array_equal(np.asarray(from_array(array))[:, :, 1], GRADIENT)


def test_a_folder_is_its_pictures_sorted(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", "c.webp"):
        (tmp_path / name).touch()
    assert [path.name for path in files_in(tmp_path)] == ["a.png", "b.JPG", "c.webp"]
