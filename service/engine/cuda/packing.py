"""Packing: the trunk's weights as the kernels read them, a matrix for blocks of outputs.

A block of b x b outputs of a k x k convolution sees a patch of (b+k-1) x (b+k-1) inputs. Output q
of the block sees input p of the patch through weight p - q, where the kernel has it, else not:

    matrix[(patch row, patch column, channel), (block row, block column, filter)]

Batch norm stays behind the pool as y = scale * x + shift: folded into the next convolution it would
be wrong at its zero padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from service.model.trunk import Trunk

POOL = 2  # also the side of the block: a pooled output is the largest of one block
LEAST_STEP, MOST_STEP = 16, 64  # numbers in one product of a tensor core, and in one load


@dataclass(frozen=True, slots=True)
class First:
    """The first two convolutions of unit 1, which one kernel computes."""

    weight_1: Tensor  # (48, 64)
    bias_1: Tensor  # float32 (4,)
    weight_2: Tensor  # (64, 32)
    bias_2: Tensor  # float32 (8,)


@dataclass(frozen=True, slots=True)
class Layer:
    """One further convolution; `scale` and `shift` count only where `pool` ends its unit."""

    weight: Tensor  # ((kernel + 1) * runs * step, 4 * filters)
    bias: Tensor  # float32 (filters,), as are the next two
    scale: Tensor
    shift: Tensor
    channels: int
    filters: int
    kernel: int
    padding: int
    pool: bool
    step: int
    runs: int

    def side(self, size: int) -> int:
        """Of the convolution's outputs, before any pool, for maps of `size`."""
        return size + 2 * self.padding + 1 - self.kernel


@torch.no_grad()
def pack(trunk: Trunk, dtype: torch.dtype) -> tuple[First, list[Layer]]:
    """All convolutions of a trunk, on the device of its weights.

    Args:
        trunk: in evaluation, float32.
        dtype: of the products, float32 or bfloat16.

    Raises:
        ValueError: a weight is not finite, or a batch norm keeps no statistics.
    """
    one, two, *_ = _convolutions(trunk)
    first = First(
        weight_1=block_weights(one.weight, block=4, run=8).to(dtype),
        bias_1=_bias(one),
        weight_2=block_weights(two.weight, block=POOL, run=16).to(dtype),
        bias_2=_bias(two),
    )
    layers = [layer for unit in trunk.units for layer in _layers(unit, dtype)][2:]
    tensors = [first.weight_1, first.bias_1, first.weight_2, first.bias_2]
    tensors += [each for layer in layers for each in (layer.weight, layer.bias)]
    tensors += [each for layer in layers for each in (layer.scale, layer.shift)]
    if not all(bool(each.isfinite().all()) for each in tensors):
        raise ValueError("the weights of the trunk are not finite")
    return first, layers


def block_weights(weight: Tensor, *, block: int, run: int) -> Tensor:
    """The matrix of a convolution for blocks of outputs, (patch * run, block * block * filters).

    Args:
        weight: (filters, channels, k, k).
        block: side of a block, in outputs.
        run: rows of the matrix for one row of the patch, at least (block + k - 1) * channels; what
            is left over is zero.
    """
    filters, channels, kernel, _ = weight.shape
    patch = block + kernel - 1
    found = weight.new_zeros(patch, patch, channels, block, block, filters)
    for y in range(block):
        for x in range(block):
            found[y : y + kernel, x : x + kernel, :, y, x] = weight.permute(2, 3, 1, 0)
    rows = found.view(patch, patch * channels, -1)
    rows = nn.functional.pad(rows, (0, 0, 0, run - rows.shape[1]))
    return rows.flatten(0, 1).contiguous()


def steps(run: int) -> tuple[int, int]:
    """Numbers in one product, and products, for a patch row of `run` numbers.

    The largest power of two that needs the fewest zeros: 24 is one product of 32, 48 three of 16.
    """
    padded = -(-run // LEAST_STEP) * LEAST_STEP
    step = MOST_STEP
    while padded % step:
        step //= 2
    return step, padded // step


def _layers(unit: nn.Module, dtype: torch.dtype) -> list[Layer]:
    convolutions = _convolutions(unit)
    return [_layer(each, unit, each is convolutions[-1], dtype) for each in convolutions]


def _layer(each: nn.Conv2d, unit: nn.Module, pool: bool, dtype: torch.dtype) -> Layer:
    kernel = each.kernel_size[0]
    step, runs = steps((kernel + 1) * each.in_channels)
    scale, shift = _scale_and_shift(unit, each.out_channels)
    return Layer(
        weight=block_weights(each.weight, block=POOL, run=step * runs).to(dtype),
        bias=_bias(each),
        scale=scale,
        shift=shift,
        channels=each.in_channels,
        filters=each.out_channels,
        kernel=kernel,
        padding=int(each.padding[0]),
        pool=pool,
        step=step,
        runs=runs,
    )


def _convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [each for each in module.modules() if isinstance(each, nn.Conv2d)]


def _bias(convolution: nn.Conv2d) -> Tensor:
    if convolution.bias is None:
        raise ValueError("a convolution of the trunk has no bias")
    return convolution.bias.detach().float().contiguous()


def _scale_and_shift(unit: nn.Module, channels: int) -> tuple[Tensor, Tensor]:
    """Batch norm in evaluation as scale * x + shift; the identity where the unit has none."""
    for norm in unit.modules():
        if isinstance(norm, nn.BatchNorm2d):
            if norm.running_mean is None or norm.running_var is None:
                raise ValueError("a batch norm of the trunk keeps no statistics")
            mean, variance = norm.running_mean.double(), norm.running_var.double()
            scale = norm.weight.detach().double() / (variance + norm.eps).sqrt()
            shift = norm.bias.detach().double() - mean * scale
            return scale[:channels].float(), shift[:channels].float()
    device = next(unit.parameters()).device
    return torch.ones(channels, device=device), torch.zeros(channels, device=device)
