"""Results show themselves in a notebook: HTML without anything from elsewhere, and a PNG."""

import re

import numpy as np
import torch

import relax


def shown(tiny, image):
    return {
        "explanation": relax.explain(tiny, image, n_masks=64),
        "match": relax.match(tiny, image, image.flip(-1), n_masks=64),
        "comparison": relax.compare({"tiny": tiny}, image, ["occlusion"]),
    }


def test_html_is_self_contained_and_png_is_the_figure(tiny, image):
    for kind, result in shown(tiny, image).items():
        html = result._repr_html_()
        sources = re.findall(r'(?:src|href)="([^"]{0,30})', html)
        assert sources, kind
        assert all(source.startswith("data:image/png;base64,") for source in sources), kind
        assert "<script" not in html
        assert 'alt="' in html
        assert result._repr_png_().startswith(b"\x89PNG\r\n")


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
