"""Map heads: geometry of the deep cells, the focal loss by hand, unknown masks."""

from __future__ import annotations

import math

import pytest
import torch

from model_build.map_heads import DEEP_OFFSET, DEEP_SPAN, MapHeads, maps_of, quality_focal
from service.model.trunk import Trunk


def test_maps_have_the_shapes_that_the_loss_expects() -> None:
    """At 512 pixels: 64 x 64 behind unit 3 and 10 x 10 behind unit 5, as the paper's sizes say."""
    shallow, deep = maps_of(Trunk().eval(), torch.zeros(1, 1, 512, 512))
    assert shallow.shape == (1, 16, 64, 64)
    assert deep.shape == (1, 8, 10, 10)
    assert DEEP_OFFSET + DEEP_SPAN * 10 == 64 - DEEP_OFFSET


def test_a_deep_cell_looks_where_its_target_is() -> None:
    """The gradient of one cell of the last map, on the map of unit 3, is centred on its 4 x 4."""
    torch.manual_seed(0)
    trunk = Trunk().eval()
    shallow = torch.rand(1, 16, 64, 64, requires_grad=True)
    trunk.units[3:](shallow)[0, :, 2, 7].sum().backward()
    assert shallow.grad is not None
    rows, columns = torch.nonzero(shallow.grad.abs().sum(dim=(0, 1)), as_tuple=True)
    centre = [(float(axis.min()) + float(axis.max())) / 2 for axis in (rows, columns)]
    expected = [DEEP_OFFSET + DEEP_SPAN * cell + (DEEP_SPAN - 1) / 2 for cell in (2, 7)]
    assert centre == pytest.approx(expected, abs=0.6)


def test_the_focal_loss_by_hand() -> None:
    """P = 0.5 against 1 costs ln 2 / 4; a cell that is right costs nearly nothing."""
    found = quality_focal(torch.tensor([0.0, 8.0, -8.0]), torch.tensor([1.0, 1.0, 0.0]))
    assert float(found[0]) == pytest.approx(math.log(2) / 4)
    assert float(found[1:].max()) < 1e-9


def test_slices_without_a_mask_count_as_slices_without_loss() -> None:
    """Two slices, one of them unknown: half of the loss of the known one."""
    heads = MapHeads()
    shallow, deep = torch.rand(2, 16, 64, 64), torch.rand(2, 8, 10, 10)
    coverage = torch.rand(2, 6, 64, 64)
    with torch.no_grad():
        alone = float(heads.loss(shallow[:1], deep[:1], coverage[:1]))
        coverage[1] = float("nan")
        both = float(heads.loss(shallow, deep, coverage))
    assert both == pytest.approx(alone / 2, rel=1e-5)
    assert alone > 0


@pytest.mark.parametrize(("row", "cell"), [(0, 0), (15, 0), (16, 1), (47, 8), (48, 9), (63, 9)])
def test_what_lies_outside_belongs_to_the_outermost_deep_cells(row: int, cell: int) -> None:
    """A lesion in row `row` of unit 3 is wanted from row `cell` of the last map alone."""
    heads, coverage = MapHeads(), torch.zeros(1, 6, 64, 64)
    coverage[:, :, row, 30] = 1.0
    deep = torch.zeros(1, 8, 10, 10, requires_grad=True)
    heads.loss(torch.zeros(1, 16, 64, 64), deep, coverage).backward()
    assert deep.grad is not None
    pull = deep.grad.abs().sum(dim=(0, 1))
    assert divmod(int(pull.argmax()), 10) == (cell, (30 - DEEP_OFFSET) // DEEP_SPAN)
    assert float(pull.flatten().sort().values[-2]) < 0.01 * float(pull.max())
