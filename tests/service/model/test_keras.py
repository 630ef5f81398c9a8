"""Keras: the padding of stride 2 and the initial values, against numbers worked out by hand."""

from __future__ import annotations

import math

import torch
from torch import nn

from service.model.keras import SameStride2Conv, keras_default_


def test_stride_two_pads_at_the_bottom_and_right_only() -> None:
    """A kernel that reads its own first tap sees pixel (0, 0); torch's padding would see zero."""
    convolution = SameStride2Conv(1, 1)
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.weight[0, 0, 0, 0] = 1.0
        convolution.bias.zero_()  # type: ignore[union-attr]
        image = torch.arange(16.0).view(1, 1, 4, 4)
        assert convolution(image)[0, 0].tolist() == [[0.0, 2.0], [8.0, 10.0]]
        convolution.weight.copy_(convolution.weight.flip(2, 3))  # now its last tap
        assert convolution(image)[0, 0].tolist() == [[10.0, 0.0], [0.0, 0.0]]


def test_torch_padding_of_one_sees_the_image_shifted_by_one_pixel() -> None:
    """With it the same weights need an image moved by (1, 1) to give the same inner maps."""
    torch.manual_seed(5)
    ours, other = SameStride2Conv(1, 3), nn.Conv2d(1, 3, 3, stride=2, padding=1)
    other.load_state_dict(ours.state_dict())
    image = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        expected = ours(image)[..., :-1, :-1]
        moved = other(image.roll((1, 1), (2, 3)))[..., 1:, 1:]
        still = other(image)[..., :-1, :-1]
    torch.testing.assert_close(moved, expected)
    assert float((still - expected).abs().max()) > 0.1


def test_kernels_are_glorot_uniform_and_biases_zero() -> None:
    """Bound sqrt(6 / (fan_in + fan_out)); the Keras default has no random bias."""
    layer = nn.Conv2d(16, 32, 3)
    keras_default_(layer)
    bound = math.sqrt(6 / ((16 + 32) * 9))
    largest = float(layer.weight.detach().abs().max())
    assert 0.99 * bound < largest <= bound
    assert layer.bias is not None
    assert float(layer.bias.detach().abs().max()) == 0.0


def test_an_lstm_starts_as_in_keras() -> None:
    """Orthogonal recurrent kernel, forget gate open, one bias: the second is zero and frozen."""
    lstm = nn.LSTM(24, 8)
    keras_default_(lstm)
    recurrent = lstm.weight_hh_l0.detach()
    torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(8), atol=1e-5, rtol=0)
    assert float(lstm.weight_ih_l0.detach().abs().max()) <= math.sqrt(6 / (24 + 32))
    assert lstm.bias_ih_l0.tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * 16
    assert lstm.bias_hh_l0.tolist() == [0.0] * 32
    assert lstm.bias_ih_l0.requires_grad
    assert not lstm.bias_hh_l0.requires_grad
