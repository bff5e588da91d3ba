"""Cells and kernels: short cuts give what the long way gives."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

import relax
from relax.modalities.cells import Cells, UnitCells, plain_cells
from relax.modalities.image.cells import image_cells
from relax.modalities.image.fills import Blur
from relax.modalities.kernels import Kernel, gaussian, positions_of, separable
from relax.modalities.units import Block, along


def test_means_of_masks_over_cells_need_no_masks():
    x = torch.rand(3, 45, 38)
    cells = image_cells(x)
    for kind in (relax.GridMasks(7), relax.GridMasks((5, 4)), relax.MultiScaleMasks((4, 7)), relax.PatchMasks(9)):
        units = kind.over(x[:, :36, :36] if isinstance(kind, relax.PatchMasks) else x)
        own = cells if units.shape == (45, 38) else image_cells(x[:, :36, :36])
        bits = (torch.rand(6, units.n_units) > 0.5).float()
        for placements in (units.middle(), torch.stack([torch.randint(0, n, (6,)) for n in units.placements], 1)):
            block = Block(bits, placements)
            torch.testing.assert_close(own.seen(units, block), own.shares(units.masks(block)), atol=1e-6, rtol=0)


def test_variances_of_sums_over_units_are_those_of_the_whole_covariance():
    for cells in (image_cells(torch.rand(3, 30, 33)), plain_cells((5, 6, 4)), plain_cells((40,)), plain_cells((3000,))):
        square = torch.rand(cells.n_cells, cells.n_cells, dtype=torch.float64)
        covariance = square @ square.T
        whole = cells.over_units(cells.over_units(covariance).T)
        torch.testing.assert_close(cells.variances(covariance), whole.diagonal())
        mean = cells.mean_unit
        torch.testing.assert_close(mean @ covariance @ mean, whole.mean())
    units = UnitCells(relax.PatchMasks(4).over(torch.rand(3, 16, 16)))
    torch.testing.assert_close(units.variances(covariance[:16, :16]), covariance[:16, :16].diagonal())


def test_a_separable_kernel_is_the_product_of_its_sides():
    grid = (5, 7)
    kernel = separable([gaussian(positions_of((side,)), 2.0) for side in grid])
    plain = gaussian(positions_of(grid), 2.0)
    torch.testing.assert_close(kernel.matrix, plain)
    expected = torch.exp(-torch.cdist(positions_of(grid), positions_of(grid)).square() / 8)
    torch.testing.assert_close(plain, expected)
    masks = torch.rand(4, 35, dtype=torch.float64)
    torch.testing.assert_close(kernel.after(masks), masks @ plain)
    torch.testing.assert_close(Kernel(plain).after(masks), masks @ plain)
    assert Cells(grid, grid, {"one": plain, "two": kernel}, unit=(1.0, 1.0)).kernels[1] is kernel


def test_along_applies_a_matrix_to_each_dimension():
    values, a, b = torch.rand(2, 3, 4), torch.rand(5, 3), torch.rand(6, 4)
    torch.testing.assert_close(along(values, [a, b]), torch.einsum("nij,ai,bj->nab", values, a, b))


def test_the_blur_is_that_of_scipy():
    x = torch.rand(3, 40, 61)
    for sigma in (0.7, 2.5, 30.0):
        expected = gaussian_filter(x.numpy(), (0, sigma, sigma), mode="nearest")
        np.testing.assert_allclose(Blur(sigma).background(x, None, 0).numpy(), expected, atol=1e-6)


def test_a_fill_is_bound_to_an_input_once(tiny, image, monkeypatch):
    blurred, background = [], Blur.background
    monkeypatch.setattr(Blur, "background", lambda *given: blurred.append(0) or background(*given))
    relax.explain(tiny, image, n_masks=64, precision="float32")
    assert len(blurred) == 1
    relax.explain(tiny, [image, image], n_masks=64, precision="float32")
    assert len(blurred) == 3
