"""Denormals: gone, everything else as it was."""

from __future__ import annotations

import torch

from service.model.conv_lstm import ConvLstm
from service.model.denormals import flush_denormals


def test_denormal_weights_are_flushed_and_others_kept() -> None:
    """1e-40 is no normal float32 and becomes zero, 1e-37 is one and stays; counters are left."""
    network = ConvLstm(256)
    with torch.no_grad():
        network.head.weight[0, :3] = torch.tensor([1e-40, -1e-40, 1e-37])
    before = network.head.weight.clone()
    assert flush_denormals(network) == 2
    assert network.head.weight[0, :2].tolist() == [0.0, 0.0]
    assert torch.equal(network.head.weight[0, 2:], before[0, 2:])
    assert torch.equal(network.head.weight[1:], before[1:])
    assert flush_denormals(network) == 0
