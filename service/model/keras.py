"""Keras: the defaults of the framework that the companions' papers used, where torch differs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SameStride2Conv(nn.Conv2d):
    """3x3 convolution of stride 2 and padding "same": (B, C, H, W) -> (B, F, H/2, W/2), H, W even.

    Keras then pads nothing at the top and left and one at the bottom and right; `padding=1` of
    torch would pad both sides and see the image shifted by one pixel.
    """

    def __init__(self, inputs: int, filters: int) -> None:
        super().__init__(inputs, filters, kernel_size=3, stride=2)

    def forward(self, maps: Tensor) -> Tensor:
        """Pad at the bottom and right only, then convolve."""
        return super().forward(F.pad(maps, (0, 1, 0, 1)))


@torch.no_grad()
def keras_default_(module: nn.Module) -> None:
    """Glorot-uniform kernels and zero biases, in place; for LSTMs what `keras_lstm_` says.

    For `Module.apply`: layers of other kinds are left alone.
    """
    if isinstance(module, nn.LSTM):
        keras_lstm_(module)
    elif isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            module.bias.zero_()


@torch.no_grad()
def keras_lstm_(lstm: nn.LSTM) -> None:
    """Glorot input kernel, orthogonal recurrent kernel, zero bias with forget gate 1, in place.

    Keras has one bias: torch's second one is zero and frozen. The gate order is i, f, c, o in both.
    """
    units = lstm.hidden_size
    for name, parameter in lstm.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(parameter)
        else:
            parameter.zero_()
            if name.startswith("bias_ih"):
                parameter[units : 2 * units] = 1.0
            else:
                parameter.requires_grad_(False)
