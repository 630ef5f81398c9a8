"""Trunk: the CNN of the paper that turns one windowed slice into 128 features.

Source: Rajagopal et al. 2023, section 4.2. Unit: [conv -> ReLU] x n -> max-pool 2x2 -> batch norm.
Padding is "same" in units 1-3 and "valid" in 4-5: only that gives the published 28x28x8 and 800.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Per unit: (kernel, out channels) of each convolution, and whether it keeps the size.
UNITS: tuple[tuple[tuple[tuple[int, int], ...], bool], ...] = (
    (((3, 4), (3, 8), (3, 16)), True),
    (((3, 4), (3, 8), (5, 16)), True),
    (((5, 4), (5, 8), (5, 16)), True),
    (((5, 4), (5, 8)), False),
    (((5, 8), (5, 8)), False),
)
DENSE: tuple[int, ...] = (1024, 512, 256, 128)
FEATURES = DENSE[-1]
# Keras defaults, which the paper's implementation most likely had: momentum 0.99, epsilon 1e-3.
BN_MOMENTUM, BN_EPS = 0.01, 1e-3


class Trunk(nn.Module):
    """Windowed slices (N, 1, S, S) float in [0, 1] -> features (N, 128).

    `size` S is 512 for the paper; 384 and 256 run too (smoke training), 128 is impossible.
    """

    def __init__(self, size: int = 512, bn_unit5: bool = True) -> None:
        super().__init__()
        units, channels = [], 1
        for index, (convolutions, same) in enumerate(UNITS):
            norm = bn_unit5 or index < len(UNITS) - 1
            units.append(_unit(channels, convolutions, same=same, norm=norm))
            channels = convolutions[-1][1]
        self.units = nn.Sequential(*units)
        self.dense = _dense(flat_size(size))
        self.apply(glorot_)

    def forward(self, windowed: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, 128)."""
        features: Tensor = self.dense(self.maps(windowed))
        return features

    def maps(self, windowed: Tensor) -> Tensor:
        """The flattened maps of unit 5, what the dense layers see: (N, 800) at 512."""
        maps: Tensor = self.units(windowed)  # (N, 8, 10, 10) at 512
        return maps.flatten(1)


def flat_size(size: int) -> int:
    """Length of the flattened maps behind unit 5 for an input of `size` x `size` pixels.

    Raises:
        ValueError: the slice is too small, or not divisible, for the five units.
    """
    for convolutions, same in UNITS:
        size -= 0 if same else sum(kernel - 1 for kernel, _ in convolutions)
        if size < 2 or size % 2:
            raise ValueError("the input size does not fit the five units of the trunk")
        size //= 2
    return size * size * UNITS[-1][0][-1][1]


def _unit(
    channels: int, convolutions: Sequence[tuple[int, int]], *, same: bool, norm: bool
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for kernel, filters in convolutions:
        padding = kernel // 2 if same else 0
        layers += [nn.Conv2d(channels, filters, kernel, padding=padding), nn.ReLU(inplace=True)]
        channels = filters
    # The last ReLU stands behind the pool: the same values and gradients for a quarter of its work.
    layers.insert(-1, nn.MaxPool2d(2))
    if norm:
        layers.append(nn.BatchNorm2d(channels, eps=BN_EPS, momentum=BN_MOMENTUM))
    return nn.Sequential(*layers)


def _dense(inputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for outputs in DENSE:
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
        inputs = outputs
    return nn.Sequential(*layers)


def glorot_(module: nn.Module) -> None:
    """Glorot-uniform kernels and biases (paper 4.4: "kernel and bias initializer"), in place.

    For a bias of length n Keras takes fan_in = fan_out = n, hence the bound sqrt(3 / n).
    """
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.xavier_uniform_(module.weight)
        bound = math.sqrt(3.0 / len(module.bias))
        nn.init.uniform_(module.bias, -bound, bound)


@torch.no_grad()
def glorot_lstm_(lstm: nn.LSTM) -> None:
    """Glorot for both kernels and the one bias that Keras has; the second stays zero, frozen."""
    for name, parameter in lstm.named_parameters():
        if name.startswith("weight"):
            nn.init.xavier_uniform_(parameter)
        elif name.startswith("bias_ih"):
            bound = math.sqrt(3.0 / len(parameter))
            nn.init.uniform_(parameter, -bound, bound)
        else:
            parameter.zero_()
            parameter.requires_grad_(False)
