"""Head crop: pieces lie around heads, and maps laid into air are those of the whole slice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model_build import head_crop
from model_build.map_heads import MapHeads, maps_of
from model_build.paper_plan import PaperPlan
from model_build.stages import WindowStage
from service.model.slice_cnn import SliceCnn
from service.model.trunk import Trunk

SIZE = (448, 384)
AIR_HU, BRAIN_HU = -1000.0, 40.0


def head(top: int, left: int, rows: int = 360, columns: int = 300) -> Tensor:
    """A slice (512, 512) with a bright oblong and, below it, a thin table."""
    voxels = torch.full((512, 512), AIR_HU)
    voxels[top : top + rows, left : left + columns] = BRAIN_HU
    voxels[504, 120:400] = 60.0
    return voxels


def trained_trunk() -> Trunk:
    """A trunk whose batch norm has seen something."""
    torch.manual_seed(0)
    trunk = Trunk().train()
    with torch.no_grad():
        for _ in range(5):
            trunk.units(torch.rand(2, 1, 256, 256))
    return trunk.eval()


@pytest.mark.parametrize(("top", "left"), [(60, 90), (16, 200), (120, 8)])
def test_the_piece_lies_around_the_head(top: int, left: int) -> None:
    """The whole head is in it, whatever the table, at a multiple of eight pixels."""
    voxels = head(top, left)[None]
    places = head_crop.corners(voxels, SIZE)
    assert not (places % 8).any()
    piece = head_crop.pieces(voxels, places, SIZE)
    assert piece.shape == (1, *SIZE)
    assert int((piece == BRAIN_HU).sum()) == 360 * 300


def test_a_slice_without_tissue_is_cut_in_its_middle_or_at_a_border() -> None:
    """Nothing to centre on is no reason to fail."""
    places = head_crop.corners(torch.full((1, 512, 512), AIR_HU), SIZE)
    assert ((places >= 0) & (places <= torch.tensor([64, 128]))).all()


def test_maps_laid_into_air_are_those_of_the_whole_slice() -> None:
    """Inside the piece unit 3 is the same but for a ring of five cells at its border."""
    trunk, voxels = trained_trunk(), head(76, 106)[None]
    windowed = (voxels / 80.0).clamp(0.0, 1.0)
    places = head_crop.corners(voxels, SIZE)
    cut = head_crop.pieces(windowed, places, SIZE)[:, None]
    with torch.no_grad():
        expected, deep = maps_of(trunk, windowed[:, None])
        found, found_deep = head_crop.whole_maps(
            trunk, cut, places, head_crop.air_maps(trunk), cells=64
        )
    assert found.shape == expected.shape
    assert found_deep.shape == deep.shape
    (top, left) = (places[0] // 8).tolist()
    inner = (..., slice(top + 5, top + 51), slice(left + 5, left + 43))
    torch.testing.assert_close(found[inner], expected[inner], rtol=0, atol=1e-5)
    assert float((found - expected).abs().mean()) < 0.03 * float(expected.abs().max())


def test_settled_statistics_are_the_mean_over_the_pieces() -> None:
    """Batch norm of unit 1: the mean of what the pieces gave; the mode ends as evaluation."""
    trunk = trained_trunk()
    inputs = [(torch.rand(2, 1, 64, 64), torch.zeros(2, 2, dtype=torch.long)) for _ in range(3)]
    head_crop.settle_batch_norm(trunk, inputs, cells=64)
    with torch.no_grad():
        first = [trunk.units[0][:-1](windowed).mean(dim=(0, 2, 3)) for windowed, _ in inputs]
    norm = trunk.units[0][-1]
    torch.testing.assert_close(norm.running_mean, torch.stack(first).mean(dim=0))
    assert not norm.training
    assert norm.momentum == 0.01


def test_training_settles_until_the_air_around_the_pieces_has_it_too() -> None:
    """One pass lays pieces into the air of the old statistics: unit 4 then still remembers them."""
    inputs = [(torch.rand(2, 1, 64, 64), torch.zeros(2, 2, dtype=torch.long)) for _ in range(2)]
    plan: Any = SimpleNamespace(
        training=SimpleNamespace(parts={"train": np.arange(4)}, recipe=SimpleNamespace(size=512)),
        _pieces=lambda rows: iter(inputs),
    )
    found, once, twice = (trained_trunk() for _ in range(3))
    PaperPlan._settle(plan, found)
    head_crop.settle_batch_norm(once, inputs, cells=64)
    for _ in range(2):
        head_crop.settle_batch_norm(twice, inputs, cells=64)
    means = [trunk.units[3][-1].running_mean for trunk in (found, once, twice)]
    torch.testing.assert_close(means[0], means[2])
    assert not torch.allclose(means[0], means[1])


def test_a_cropped_stage_teaches_the_convolutions() -> None:
    """The loss reaches the first convolution and is close to that of the whole slices."""
    torch.manual_seed(0)
    network, heads = SliceCnn(), MapHeads()
    voxels = torch.stack([head(60, 90), head(40, 120)])
    inputs = (
        voxels,
        torch.tensor([[40.0, 80.0]] * 2),
        torch.tensor([1, 2]),
        torch.ones(2, 6),
        torch.ones(2),
        torch.rand(2, 6, 64, 64),
    )
    network.eval()
    with torch.no_grad():
        whole = float(WindowStage(network, heads, 1.0)(*inputs))
    loss = WindowStage(network, heads, 1.0, SIZE)(*inputs)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(whole, rel=0.05)
    first = network.trunk.units[0][0].weight.grad
    assert first is not None
    assert float(first.abs().sum()) > 0
