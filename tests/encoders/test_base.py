import numpy as np
import pytest
import torch
from PIL import Image

import relax
from relax.encoders.batching import CANDIDATES, BatchSizer
from relax.modalities.image.transforms import ImageTransform


def test_a_picture_of_the_input_size_is_taken_as_it_is():
    array = np.random.default_rng(0).integers(0, 255, (32, 48, 3), dtype=np.uint8)
    for crop in (None, "center"):
        transform = ImageTransform(size=(32, 48), mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), crop=crop, resize=40)
        tensor = transform(Image.fromarray(array))
        expected = (torch.from_numpy(array).permute(2, 0, 1) / 255 - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / (
            torch.tensor([0.5, 0.6, 0.7])[:, None, None]
        )
        torch.testing.assert_close(tensor, expected)
        assert transform.box((48, 32)) == (0, 0, 48, 32)


def test_nothing_is_cropped_away_unless_asked_for():
    picture = Image.new("RGB", (400, 200), "black")
    picture.paste("white", (0, 0, 20, 200))
    whole = ImageTransform(size=(64, 64))
    assert float(whole(picture)[:, :, 0].min()) > 1
    assert whole.box((400, 200)) == (0, 0, 400, 200)
    center = ImageTransform(size=(64, 64), crop="center", resize=80)
    assert float(center(picture).max()) < 0
    assert center.box((400, 200)) == (120, 20, 280, 180)


@pytest.mark.parametrize(
    ("options", "words"), [({"crop": "left"}, "None or 'center'"), ({"interpolation": "magic"}, "bilinear")]
)
def test_transforms_that_cannot_be(options, words):
    with pytest.raises(relax.ArgumentError, match=words):
        ImageTransform(size=(8, 8), **options)


def test_any_callable_and_any_transform_will_do():
    encoder = relax.Encoder(lambda x: x.mean((2, 3)), transform=lambda picture: torch.ones(3, *picture.size[::-1]))
    e = relax.explain(encoder, np.zeros((20, 30, 3), np.uint8), n_masks=256, similarity="dot", fill="zero")
    assert e.importance.shape == (20, 30)
    wrong = relax.Encoder(lambda x: x, transform=np.asarray)
    with pytest.raises(relax.InputError, match=r"expected the transform to return a \(C, H, W\) tensor, got ndarray"):
        wrong.prepare(np.zeros((20, 30, 3), np.uint8))


def test_encode_is_the_model_in_eval_mode(tiny, image):
    batch = torch.stack([image, image.flip(1), image.flip(2)])
    with torch.no_grad():
        expected = tiny.eval()(batch)
    tiny.train()
    torch.testing.assert_close(relax.Encoder(tiny).encode(batch, batch_size=2), expected, atol=1e-5, rtol=1e-5)
    assert tiny.training
    with pytest.raises(relax.InputError, match="inputs of one shape"):
        relax.Encoder(tiny).encode([image, image[:, :20]])


def test_the_fastest_batch_size_is_kept(monkeypatch):
    """A pretended clock: batches of 8 are the fastest."""
    from relax.encoders import batching

    clock = [0.0]
    monkeypatch.setattr(batching.time, "perf_counter", lambda: clock[0])
    cost = {2: 1.0, 4: 0.8, 8: 0.5, 16: 0.7, 32: 0.9}
    seen = []

    def step(rows):
        n = rows.stop - rows.start
        seen.append(n)
        clock[0] += n * cost.get(n, 1.0)
        return torch.arange(rows.start, rows.stop)

    sizer = BatchSizer("auto", torch.device("cpu"))
    assert torch.equal(sizer.run(300, step), torch.arange(300))
    assert sizer.settled
    assert sizer.size == 8
    assert 32 not in seen  # 16 was so much slower that 32 was not tried
    assert set(CANDIDATES) >= set(seen[:-1])


def test_a_batch_of_one_that_does_not_fit_is_an_error():
    def step(rows):
        raise torch.OutOfMemoryError("no")

    with pytest.raises(torch.OutOfMemoryError, match="a single input"):
        BatchSizer(16, torch.device("cpu")).run(20, step)
