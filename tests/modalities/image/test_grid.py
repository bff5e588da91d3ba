import numpy as np
import pytest
import torch
from skimage.transform import resize

import relax
from relax.modalities.masks import Block, GridMasks, PatchMasks


def random_block(units, n, seed=0, shared=False):
    rng = np.random.default_rng(seed)
    bits = torch.from_numpy(rng.integers(0, 2, (n, units.n_units))).float()
    rows = 1 if shared else n
    return Block(bits, torch.from_numpy(rng.integers(0, units.placements, (rows, len(units.placements)))))


@pytest.mark.parametrize(("cells", "shape"), [(7, (224, 224)), ((5, 9), (96, 200)), (7, (100, 130)), (3, (3, 4))])
def test_masks_are_rise_masks(cells, shape):
    """Upsampling to (cells + 1) cells and cropping at the offset, as RISE does it, with scikit-image's resize."""
    units = GridMasks(cells=cells).over(torch.zeros(3, *shape))
    block = random_block(units, 5)
    masks = units.masks(block)
    rows, columns = units.grid
    cell_y, cell_x = -(-shape[0] // rows), -(-shape[1] // columns)
    assert units.placements == (cell_y, cell_x)
    for mask, bits, (y, x) in zip(masks, block.bits, block.placements, strict=True):
        whole = resize(
            bits.view(rows, columns).double().numpy(),
            ((rows + 1) * cell_y, (columns + 1) * cell_x),
            order=1,
            mode="edge",
            anti_aliasing=False,
        )
        np.testing.assert_allclose(mask, whole[y : y + shape[0], x : x + shape[1]], atol=1e-5)


@pytest.mark.parametrize("shape", [(224, 224), (60, 90)])
@pytest.mark.parametrize("cells", [7, 4])
def test_relax_xai_offsets_are_those_of_the_authors_package(shape, cells):
    generator = pytest.importorskip("relax_xai.masking_functions").mask_generator
    torch.manual_seed(3)
    theirs = next(iter(generator(6, shape, "cpu", num_cells=cells)))[:, 0]
    torch.manual_seed(3)  # the same draws, in the order in which the package makes them
    bits = (torch.rand(6, 1, cells, cells) < 0.5).float().view(6, -1)
    placements = torch.stack([torch.randint(0, cells, (6,)), torch.randint(0, cells, (6,))], dim=1)
    units = GridMasks(cells=cells, offsets="relax-xai").over(torch.zeros(3, *shape))
    torch.testing.assert_close(units.masks(Block(bits, placements)), theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "masks", [GridMasks(4), GridMasks((3, 5), offsets="none"), PatchMasks(4), PatchMasks(4, group=2)]
)
@pytest.mark.parametrize("shared", [True, False])
def test_pull_back_is_the_adjoint(masks, shared):
    units = masks.over(torch.zeros(3, 24, 32))
    block = random_block(units, 17, shared=shared)
    weights = torch.from_numpy(np.random.default_rng(1).standard_normal((3, 17)))
    expected = torch.einsum("vn,nhw->vhw", weights, units.masks(block).double())
    torch.testing.assert_close(units.pull_back(weights, block), expected, atol=1e-6, rtol=1e-6)


def test_full_and_empty_grids_are_full_and_empty_masks():
    units = GridMasks(6).over(torch.zeros(3, 50, 41))
    placements = torch.tensor([[3, 2]])
    assert torch.allclose(units.masks(Block(torch.ones(1, 36), placements)), torch.ones(1, 50, 41))
    assert torch.count_nonzero(units.masks(Block(torch.zeros(1, 36), placements))) == 0


def test_patches_are_aligned_with_tokens():
    units = PatchMasks(patch=8).over(torch.zeros(3, 16, 24))
    bits = torch.eye(6)
    masks = units.masks(Block(bits, torch.zeros(1, 2, dtype=torch.long)))
    for number, mask in enumerate(masks):
        y, x = divmod(number, 3)
        assert mask.sum() == 64
        assert mask[8 * y : 8 * y + 8, 8 * x : 8 * x + 8].all()


def test_a_group_that_does_not_divide_the_tokens_leaves_a_smaller_unit():
    units = PatchMasks(patch=8, group=2).over(torch.zeros(3, 24, 24))
    assert units.n_units == 4
    sizes = units.masks(Block(torch.eye(4), torch.zeros(1, 2, dtype=torch.long))).sum((1, 2))
    assert sizes.tolist() == [256, 128, 128, 64]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GridMasks(0), "positive integer"),
        (lambda: GridMasks((3, -1)), "positive integer"),
        (lambda: GridMasks(keep=1.0), "between 0 and 1"),
        (lambda: GridMasks(offsets="wide"), "cell, relax-xai, none"),
        (lambda: GridMasks((3, 4), offsets="relax-xai"), "square grid"),
        (lambda: GridMasks(50).over(torch.zeros(3, 20, 80)), r"does not fit in 20 pixels .*\(3, 20, 80\); use fewer"),
        (lambda: PatchMasks(16).over(torch.zeros(3, 30, 32)), "do not tile an input of 30x32"),
        (lambda: PatchMasks(patch=0), "positive integer"),
        (lambda: relax.masks.create("hexagons"), "unknown kind of masks 'hexagons'; available: grid, patches"),
        (lambda: relax.masks.create("grid", size=3), "do not take these options"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(make, words):
    with pytest.raises(relax.ArgumentError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("masks", [GridMasks(5), GridMasks((3, 4), keep=0.2, offsets="none"), PatchMasks(8, group=2)])
def test_settings_make_the_same_masks_again(masks):
    assert relax.masks.create(**masks.settings()) == masks
