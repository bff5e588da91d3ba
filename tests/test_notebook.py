"""Results show themselves in a notebook: HTML without anything from elsewhere, values under the pointer, and a PNG."""

import io
import re
import shutil
from dataclasses import replace
from html import escape, unescape
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.conftest import TinyEncoder

import relax
from relax.modalities.pointer import block_means

HOSTILE = "<b onload='x'>\"&.png"
"""A file name that would change a page if it were not escaped."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of twelve small pictures, the first with a hostile name, and a file of such a name that is none."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("pictures")
    (folder / f"bad {HOSTILE}").write_bytes(b"no picture")
    for number in range(12):
        name = HOSTILE if number == 0 else f"{number}.png"
        Image.fromarray(rng.integers(0, 255, (28, 28, 3), dtype=np.uint8)).save(folder / name, format="png")
    return folder


def transform(picture):
    return torch.tensor(np.asarray(picture)).movedim(-1, 0) / 255


@pytest.fixture(scope="module")
def results(pictures, tmp_path_factory):
    """One of everything that shows itself."""
    encoder = relax.Encoder(TinyEncoder().eval(), transform=transform, name="<i>tiny")
    first, other, noise = pictures / HOSTILE, pictures / "1.png", torch.rand(3, 28, 28)
    ran = relax.run(pictures, tmp_path_factory.mktemp("store"), encoder, n_masks=64)
    judged = tmp_path_factory.mktemp("judged")
    return {
        "explanation": relax.explain(encoder, first, n_masks=64),
        "tensor": relax.explain(encoder, noise, n_masks=64),
        "match": relax.match(encoder, first, other, n_masks=64),
        "regions": relax.match(encoder, noise, noise.flip(-1), n_masks=64, regions=True),
        "comparison": relax.compare({"<i>tiny": encoder}, first, ["occlusion"]),
        "difference": relax.difference(encoder, first, other, n_masks=64),
        "run": ran,
        "insight": relax.insight(ran),
        "evaluation": relax.evaluate(
            f"folder:{pictures}", {"<i>tiny": encoder}, ["relax", "random"], ["insertion"], n=3, out=judged
        ),
    }


def titles(html):
    return [unescape(text) for text in re.findall(r'<i title="([^"]*)"', html)]


def test_html_is_small_and_self_contained_and_png_is_the_figure(results):
    for kind, result in results.items():
        html = result._repr_html_()
        assert len(html) < 150_000, kind
        assert "http" not in html, kind
        assert "<script" not in html, kind
        assert "<b onload" not in html, kind
        assert "<i>tiny" not in html, kind
        sources = re.findall(r'(?:src|href)="([^"]{0,30})', html)
        assert all(source.startswith("data:image/webp;base64,") for source in sources), kind
        assert html.count("<img") == html.count('alt="') == len(sources), kind
        Image.open(io.BytesIO(result._repr_png_())).verify()
        assert titles(html) or re.search(r'title="[^"]*interval', html), kind


def test_reprs_are_one_line(results):
    for kind, result in results.items():
        assert "\n" not in repr(result), kind
        assert len(repr(result)) < 400, kind
    assert repr(results["comparison"]) == "Comparison(occlusion of <i>tiny: 1 map)"
    evaluation = results["evaluation"]
    names = "<i>tiny; relax, random; insertion"
    assert repr(evaluation) == f"Evaluation(3 inputs: {names}; in {evaluation.folder})"
    failed = relax.Failed(np.zeros(3), relax.InputError("no"))
    assert repr(failed) == "Failed(error=InputError('no'))"


def test_alternatives_name_both_inputs(results):
    def alternative(kind):
        return unescape(re.search('alt="([^"]*)"', results[kind]._repr_html_())[1])

    match = results["match"]
    assert alternative("match") == (
        f"{HOSTILE} and 1.png   ·   cosine similarity {match.similarity:.3f}   ·   <i>tiny   ·   64 masks on each"
    )
    similarity = results["difference"].similarity
    assert alternative("difference") == (
        f"{HOSTILE} and 1.png: what distinguishes them, cosine similarity {similarity:.3f}"
    )


def test_hostile_names_are_escaped(results):
    for kind in ("explanation", "run", "match", "difference"):
        assert escape(HOSTILE) in results[kind]._repr_html_(), kind


def test_dollars_in_names_are_no_formulas(pictures, tiny, tmp_path):
    name = "a $x_$ picture.png"
    shutil.copy(pictures / "1.png", tmp_path / name)
    encoder = relax.Encoder(lambda x: tiny(x).detach(), transform=transform, name="$y_$")
    comparison = relax.compare({"$y_$": encoder}, tmp_path / name, ["occlusion", "lafam"])
    assert comparison.refused
    assert comparison._repr_png_().startswith(b"\x89PNG")
    alternative = re.search('alt="([^"]*)"', relax.explain(encoder, tmp_path / name, n_masks=64)._repr_html_())
    assert alternative[1].startswith("a $x_$ picture.png")
    rows = "\n".join(f"{number % 5},{number % 7}" for number in range(40))
    (tmp_path / "series.csv").write_text(f"cost $x_$,other\n{rows}\n")
    reader = relax.Encoder(lambda x: x.flatten(1), modality="series")
    relax.explain(reader, tmp_path / "series.csv", masks="channels").plot(tmp_path / "series.png")


def test_titles_of_pairs_fit_over_their_panels(pictures, tiny, tmp_path):
    name = f"{'a long name of a photograph ' * 3}.png"
    shutil.copy(pictures / "1.png", tmp_path / name)
    encoder = relax.Encoder(lambda x: tiny(x).detach(), transform=transform)
    for explain in (relax.match, relax.difference):
        figure = explain(encoder, tmp_path / name, pictures / "2.png", n_masks=64).plot()
        figure.draw_without_rendering()
        for axes in figure.axes:
            box = axes.title.get_window_extent()
            assert figure.bbox.x0 <= box.x0
            assert box.x1 <= figure.bbox.x1


def test_values_under_the_pointer_are_the_means_of_blocks(results):
    e = results["tensor"]  # 28 x 28, which is shown as it is
    shown = titles(e._repr_html_())
    maps = [e.importance, e.uncertainty, e.standard_error]
    means = [one.astype(float).reshape(14, 2, 14, 2).mean((1, 3)).ravel() for one in maps]
    lines = [text.split("\n") for text in shown[:196]] if "\n" in shown[0] else None
    assert lines is not None
    assert len(shown) == 4 * 196
    for number, (name, mean) in enumerate(zip(("importance", "uncertainty", "standard error"), means, strict=True)):
        rounding = max(float(np.ptp(mean)) / 100, 1e-7)
        together = [float(line[number].removeprefix(name)) for line in lines]
        alone = [float(text) for text in shown[196 * (number + 1) : 196 * (number + 2)]]
        np.testing.assert_allclose(together, mean, atol=rounding)
        np.testing.assert_allclose(alone, mean, atol=rounding)


def test_cells_lie_over_the_pixels_that_they_describe(tiny, image):
    """The grid of a panel covers its picture: the border of the first map's colours is where the cells say."""
    e = relax.explain(tiny, image, n_masks=64)
    pixels = np.asarray(Image.open(io.BytesIO(e._repr_png_())).convert("RGB")).astype(int)
    style = re.findall(r'<div style="left:([\d.]+)%;top:([\d.]+)%;width:([\d.]+)%;height:([\d.]+)%', e._repr_html_())
    left, top, width, height = (float(value) / 100 for value in style[1])  # the importance
    x, y = (np.array([left, left + width]) * pixels.shape[1], np.array([top, top + height]) * pixels.shape[0])
    outside = (slice(int(y[0]) + 5, int(y[1]) - 5), [int(x[0]) - 4, int(x[1]) + 4])
    inside = (slice(int(y[0]) + 5, int(y[1]) - 5), [int(x[0]) + 4, int(x[1]) - 4])
    assert (pixels[outside] > 250).all()
    assert (pixels[inside].min(-1) < 200).all()


def test_means_of_blocks_leave_out_what_the_encoder_does_not_see():
    values = np.array([[1.0, np.nan, np.nan, np.nan], [3.0, 5.0, np.nan, np.nan]])
    np.testing.assert_allclose(block_means(values, (1, 2)), [[3.0, np.nan]])


def test_units_of_vectors_have_effect_and_standard_error_under_the_pointer():
    encoder = relax.Encoder(torch.nn.Linear(4, 3), modality="vector")
    e = relax.explain(encoder, np.arange(1, 5, dtype=np.float32), n_masks=64)
    shown = titles(e._repr_html_())
    assert len(shown) == 2 * 4
    for column, text in enumerate(shown[:4]):
        name, effect, error = re.match(r"(.*): effect (\S+) ± (\S+)", text).groups()
        assert name == f"column {column}"
        assert float(effect) == pytest.approx(e.effect[column], abs=1e-2 * np.ptp(np.append(e.effect, 0)))
        assert float(error) == pytest.approx(e.standard_error[column], abs=1e-2 * np.ptp(np.append(e.effect, 0)))


def test_the_table_of_an_evaluation_has_means_and_intervals(results):
    found = results["evaluation"]
    html = found._repr_html_()
    for row in found.summary.to_dict("records"):
        assert f">{row['mean']:.3g}<" in html.replace("<b>", "").replace("</b>", "")
        assert f"95 % interval {row['low']:.3g} to {row['high']:.3g}, n = {row['n']}" in html


def test_the_mean_map_of_a_report_is_under_the_pointer(results):
    mean = results["insight"].summary.mean_map
    assert max(mean.shape) <= 14  # as it is kept, without blocks
    shown = [float(text) for text in titles(results["insight"]._repr_html_())[: mean.size]]
    np.testing.assert_allclose(shown, mean.ravel(), atol=float(np.ptp(mean)) / 100)


def test_a_run_says_what_was_done_even_if_its_store_is_gone(results, tmp_path):
    ran = results["run"]
    assert "12 inputs explained" in ran._repr_html_()
    moved = replace(ran, folder=Path(shutil.copytree(ran.folder, tmp_path / "copy")))
    for shard in moved.store.shards():
        shard.unlink()
    ran = moved
    assert "12 inputs explained" in ran._repr_html_()
    assert "missing" in ran._repr_html_()
    assert ran._repr_png_() is None


def test_an_object_of_several_views_shows_each_view_and_its_share(tiny):
    def model(views):
        return torch.cat([views["a"].flatten(1), 2 * views["b<c"].flatten(1)], 1)

    encoder = relax.Encoder(model, views=["a", "b<c"])
    rows = {name: np.arange(1, 9, dtype=np.float32) for name in ("a", "b<c")}
    found = relax.explain(encoder, rows, n_masks=64)
    html = found._repr_html_()
    assert re.findall(r"<h4>(.*?)</h4>", html) == ["a", "b&lt;c"]
    assert html.count("<img") == 2
    assert f"<p>a {found.shares.values['a']:.2f}" in html
