"""Stages: each loss by hand, what it trains and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model_build.map_heads import MapHeads
from model_build.stages import JointStage, WindowStage, weighted_bce
from service.model.conv_lstm import ConvLstm
from service.model.slice_cnn import SliceCnn
from tests.model_build.phantom_set import SIZE, slice_set

UNKNOWN = torch.full((8, 6, SIZE // 8, SIZE // 8), float("nan"))


@pytest.mark.slow
def test_one_batch_can_be_learnt_by_heart() -> None:
    """Sixty steps on one batch bring the loss of the per-window CNN far below its start."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    source = slice_set(8)
    stage = WindowStage(SliceCnn(SIZE), None, 0.0)
    optimizer = torch.optim.Adam(stage.parameters(), lr=1e-3)
    inputs = (
        torch.from_numpy(source.voxels),
        torch.from_numpy(source.windows),
        torch.ones(8, dtype=torch.long),
        torch.from_numpy(source.labels.astype(np.float32)),
        torch.ones(8),
        UNKNOWN,
    )
    losses = []
    for _ in range(60):
        loss = stage(*inputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.4 * losses[0]


def test_unknown_masks_leave_the_window_loss_as_it_is() -> None:
    """Map heads on slices whose masks are unknown add nothing."""
    torch.manual_seed(0)
    source, network = slice_set(8), SliceCnn(SIZE).eval()
    inputs = (
        torch.from_numpy(source.voxels),
        torch.from_numpy(source.windows),
        torch.ones(8, dtype=torch.long),
        torch.from_numpy(source.labels.astype(np.float32)),
        torch.ones(8),
    )
    stage = WindowStage(network, MapHeads(), 1.0)
    with torch.no_grad():
        bare = float(WindowStage(network, None, 0.0)(*inputs, UNKNOWN))
        assert float(stage(*inputs, UNKNOWN)) == pytest.approx(bare)
        assert float(stage(*inputs, torch.ones_like(UNKNOWN))) > bare + 1


def test_joint_training_leaves_the_batch_norm_statistics_alone() -> None:
    """Their running means are those of stage 2, whatever passes through."""
    network = ConvLstm(SIZE, window_head=True)
    stage = JointStage(network, 0.3).train()
    before = {name: value.clone() for name, value in network.trunk.state_dict().items()}
    source = slice_set(2)
    labels = torch.from_numpy(source.labels.astype(np.float32))
    voxels, windows = torch.from_numpy(source.voxels), torch.from_numpy(source.windows)
    stage(voxels, windows, labels, torch.ones(2)).backward()
    after = network.trunk.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if "running" in name)


def test_the_loss_by_hand() -> None:
    """Logits 0 cost ln 2 per label; a weight of 3 beside one of 1 doubles the mean."""
    logits, labels = torch.zeros(2, 6), torch.tensor([[1.0] * 6, [0.0] * 6])
    assert float(weighted_bce(logits, labels, torch.ones(2))) == pytest.approx(0.693147, abs=1e-6)
    heavy = weighted_bce(logits, labels, torch.tensor([3.0, 1.0]))
    assert float(heavy) == pytest.approx(2 * 0.693147, abs=1e-6)


def test_any_can_count_twice() -> None:
    """Five subtypes right and `any` wrong: one sixth of the loss, or two sevenths."""
    logits, labels = torch.full((1, 6), -20.0), torch.tensor([[0.0, 0, 0, 0, 0, 1]])
    assert float(weighted_bce(logits, labels, torch.ones(1))) == pytest.approx(20 / 6, rel=1e-5)
    doubled = weighted_bce(logits, labels, torch.ones(1), any_weight=2.0)
    assert float(doubled) == pytest.approx(40 / 7, rel=1e-5)
