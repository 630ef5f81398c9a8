"""The companions against the numbers of their papers: parameters, shapes, what dropout does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from service.model.bhcnet import BhcNet
from service.model.cnn_128 import Cnn128
from service.model.cnn_rnn import CnnRnn
from service.model.raster_lstm import RasterLstm
from service.model.registry import NETWORKS
from tests.service.model.test_networks import count

# Layer by layer in the specification; torch's LSTM has 4 x units more (its frozen second bias).
LSTM_64 = 4 * (64 * (64 + 64) + 64) + 256
CONVOLUTIONS = 896 + 18_496 + 36_928
PARAMETERS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("bhcnet", {"outputs": 1}, 56_385),
    ("bhcnet", {}, 56_385 + 5 * 65),
    ("bhcnet_lstm", {"outputs": 1}, CONVOLUTIONS + LSTM_64 + 65),
    ("cnn_128", {}, 839_430),
    ("cnn_rnn", {}, 896 + 18_496 + LSTM_64 + 390),
    # The published bodies of 6,953,856, 22,979,904 and 20,806,952, and our six logits.
    ("densenet121", {}, 6_953_856 + 1024 * 6 + 6),
    ("resnext50", {}, 22_979_904 + 2048 * 6 + 6),
    ("xception", {}, 20_806_952 + 2048 * 6 + 6),
)


@pytest.mark.parametrize(("name", "config", "expected"), PARAMETERS)
def test_parameter_counts(name: str, config: dict[str, Any], expected: int) -> None:
    """Every layer has the width that was published or chosen."""
    network: Any = NETWORKS[name](**config)
    assert count(network) == expected


def shapes_of(layers: nn.Sequential, size: int, kind: type[nn.Module]) -> list[tuple[int, ...]]:
    """Shape behind every layer of one kind for an image of `size` pixels."""
    found, maps = [], torch.zeros(1, 3, size, size)
    for layer in layers:
        maps = layer(maps)
        if isinstance(layer, kind):
            found.append(tuple(maps.shape[1:]))
    return found


@torch.inference_mode()
def test_bhcnet_has_the_published_shapes() -> None:
    """64x64x32, 32x32x32, ..., 4x4x64."""
    layers = BhcNet().eval().convolutions
    assert shapes_of(layers, 128, nn.Conv2d) == [(32, 64, 64), (64, 16, 16), (64, 4, 4)]
    assert shapes_of(layers, 128, nn.MaxPool2d) == [(32, 32, 32), (64, 8, 8)]


@torch.inference_mode()
def test_the_cnn_of_128_pixels_has_the_chosen_shapes() -> None:
    """Valid convolutions and pools: 63, 30, 14, 6, flattened to 4,608."""
    layers = Cnn128().eval().layers
    pools = shapes_of(layers, 128, nn.MaxPool2d)
    assert pools == [(32, 63, 63), (64, 30, 30), (128, 14, 14), (128, 6, 6)]
    assert shapes_of(layers, 128, nn.Flatten) == [(4_608,)]


@torch.inference_mode()
def test_the_cnn_rnn_reads_sixteen_steps() -> None:
    """A 4x4 grid of averages, 64 channels each."""
    layers = CnnRnn().eval().convolutions
    assert shapes_of(layers, 128, nn.AdaptiveAvgPool2d) == [(64, 4, 4)]


@torch.inference_mode()
def test_the_lstm_reads_row_after_row() -> None:
    """Its state is that of the LSTM on the sixteen positions in reading order."""
    torch.manual_seed(6)
    sequence, maps = RasterLstm(8, 4), torch.randn(2, 8, 4, 4)
    steps = torch.stack([maps[:, :, row, column] for row in range(4) for column in range(4)], 1)
    _, (state, _) = sequence.lstm(steps)
    torch.testing.assert_close(sequence(maps), state[0])
    rotated = sequence(maps.transpose(2, 3))
    assert float((rotated - state[0]).abs().max()) > 1e-3


@pytest.mark.parametrize(("name", "rate"), [("bhcnet", 0.4), ("bhcnet_lstm", 0.4)])
def test_dropout_has_the_published_rate_and_is_for_training_only(name: str, rate: float) -> None:
    """Three of them; two training passes differ, two of evaluation do not."""
    network = NETWORKS[name](size=64)
    rates = [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)]
    assert rates == [rate] * 3
    voxels, default = torch.randint(-50, 120, (1, 64, 64)), torch.tensor([[40.0, 80.0]])
    with torch.no_grad():
        network.train()
        assert not torch.equal(network(voxels, default), network(voxels, default))
        network.eval()
        assert torch.equal(network(voxels, default), network(voxels, default))


@pytest.mark.parametrize(("name", "size"), [("bhcnet", 100), ("bhcnet_lstm", 48), ("cnn_128", 32)])
def test_a_size_that_does_not_fit_is_refused(name: str, size: int) -> None:
    """Where "same" would pad differently, or nothing would be left of the image."""
    with pytest.raises(ValueError, match="image"):
        NETWORKS[name](size=size)
