"""Occlusion: the window that carries the answer is the one whose loss is felt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from model_build import intervals, occlusion
from service.model.conv_lstm import ConvLstm
from service.model.windows import WINDOW_NAMES

SLICES = 40


@pytest.fixture(scope="module")
def network() -> ConvLstm:
    """An untrained network."""
    torch.manual_seed(0)
    return ConvLstm(256, window_head=True).eval()


@pytest.fixture(scope="module")
def features() -> Tensor:
    """The same tokens in every slice but for window 3, where slices differ."""
    generator = torch.Generator().manual_seed(1)
    found = torch.randn(1, 10, 128, generator=generator).repeat(SLICES, 1, 1)
    found[:, 3] = torch.randn(SLICES, 128, generator=generator)
    return found


def test_only_the_window_that_differs_is_felt(network: ConvLstm, features: Tensor) -> None:
    """Replacing a token by an equal one changes nothing."""
    lost = occlusion.occluded(network, features, features.mean(dim=0))
    assert lost.shape == (SLICES, 10, 6)
    sizes = np.abs(lost).max(axis=(0, 2))
    assert sizes[3] > 1e-3
    assert np.delete(sizes, 3).max() < 1e-5


def test_lost_is_whole_minus_without(network: ConvLstm, features: Tensor) -> None:
    """By hand for one slice."""
    usual = features.mean(dim=0)
    without = features[:1].clone()
    without[:, 3] = usual[3]
    with torch.inference_mode():
        expected = network.sequence_logits(features[:1]) - network.sequence_logits(without)
    found = occlusion.occluded(network, features, usual)[0, 3]
    np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-6)


def test_trace_ends_at_the_answer(network: ConvLstm, features: Tensor) -> None:
    """After ten windows it is what the service computes; after four, that of four."""
    found = occlusion.trace(network, features)
    with torch.inference_mode():
        for count in (4, 10):
            expected = network.sequence_logits(features[:, :count]).numpy()
            np.testing.assert_allclose(found[:, count - 1], expected, atol=1e-5)


def test_tables_have_windows_in_rows_and_null_where_nothing_is_present(
    network: ConvLstm, features: Tensor
) -> None:
    """Means over the slices that show the label; a label that none shows has neither mean nor area.

    The second table is over all slices, so it is defined for it.
    """
    labels = np.zeros((SLICES, 6), np.uint8)
    labels[::2, 5] = 1
    resampling = intervals.draw([f"p{k // 2}" for k in range(SLICES)], 50, 0)
    usual = features.mean(dim=0)
    lost, change, trace = occlusion.tables(network, features, usual, labels, resampling)
    each = occlusion.occluded(network, features, usual)
    assert [row.name for row in lost.rows] == list(WINDOW_NAMES)
    row = lost.rows[3].figures
    assert row["any"].value == pytest.approx(each[::2, 3, 5].mean())
    assert row["any"].low < row["any"].value < row["any"].high  # type: ignore[operator]
    assert row["epidural"].value is None
    assert change.rows[3].figures["epidural"].value == pytest.approx(np.abs(each[:, 3, 0]).mean())
    assert trace.rows[9].figures["epidural"].value is None
    assert trace.rows[9].figures["any"].value is not None
    assert trace.rows[9].name == "10: grey_white"
