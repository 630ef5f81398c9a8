"""Denormals: gone, everything else as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from service.model.conv_lstm import ConvLstm
from service.model.denormals import flush_denormals


@pytest.fixture(autouse=True)
def _denormals_are_numbers() -> Iterator[None]:
    """Another test may have told this thread to take them for zero."""
    torch.set_flush_denormal(False)
    yield
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("taken_for_zero", [False, True], ids=["as numbers", "taken for zero"])
def test_denormal_weights_are_flushed_and_others_kept(taken_for_zero: bool) -> None:
    """1e-40 is no normal float32 and becomes zero, 1e-37 is one and stays."""
    network = ConvLstm(256)
    with torch.no_grad():
        network.head.weight[0, :3] = torch.tensor([1e-40, -1e-40, 1e-37])
    assert int((network.head.weight.view(torch.int32)[0, :2] & 0x7FFFFFFF).min()) > 0
    before = network.head.weight.clone()
    torch.set_flush_denormal(taken_for_zero)
    flush_denormals(network)
    torch.set_flush_denormal(False)
    # The bits say it: a comparison might itself take a denormal for zero.
    assert network.head.weight.view(torch.int32)[0, :2].tolist() == [0, 0]
    assert torch.equal(network.head.weight[0, 2:], before[0, 2:])
    assert torch.equal(network.head.weight[1:], before[1:])
