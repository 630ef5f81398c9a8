"""Folding: the trunk's weights as the native kernel reads them, batch norm folded in exactly.

A unit ends in pool, ReLU, batch norm: y = s * max(pool(c), 0) + t with s = gamma / sqrt(var + eps)
and t = beta - mean * s. With sign g of s (1 for zero) that is

    g * y = max(pool(|s| * c + g * t), g * t)

so the unit's last convolution takes |s| into its weights and |s| * bias + g * t for its bias, and
the ReLU becomes a floor of g * t behind the pool. What is stored is g * y: the weights of the next
convolution take g on that input channel. Its zero padding stays zero, so borders are exact, which
folding s and t into that convolution would not be (Rajagopal et al. order: pool, then batch norm,
then a padded convolution).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from service.model.trunk import Trunk

Array = npt.NDArray[np.float64]

# Inputs lie in 0..1. Below this bound no sum can overflow, so no value becomes infinite or NaN on
# the way: the kernel's maxima treat NaN otherwise than torch does.
LARGEST_VALUE = 1e30


@dataclass(frozen=True, slots=True)
class Folded:
    """One convolution: weight (out, in, k, k), bias (out,), and what its ReLU cuts off (out,)."""

    weight: Array
    bias: Array
    floor: Array


def fold(trunk: Trunk) -> npt.NDArray[np.float32]:
    """All convolutions in their order, then the signs of the last maps: float32 (n,).

    Raises:
        ValueError: a weight is not finite, or so large that a sum could overflow.
    """
    layers, sign = fold_units(trunk)
    parts = [part.ravel() for item in layers for part in (item.weight, item.bias, item.floor)]
    with np.errstate(over="ignore", invalid="ignore"):
        blob = np.concatenate([*parts, sign]).astype(np.float32)
        bounded = np.isfinite(blob).all() and largest_value(layers) < LARGEST_VALUE
    if not bounded:
        raise ValueError("the weights of the trunk are not finite, or too large")
    return blob


def fold_units(trunk: Trunk) -> tuple[list[Folded], Array]:
    """The folded convolutions, and the sign (8,) to multiply the last unit's maps with."""
    layers: list[Folded] = []
    sign = np.ones(1)
    for unit in trunk.units:
        *inner, last = [each for each in unit.modules() if isinstance(each, nn.Conv2d)]
        for convolution in inner:
            weight, bias = _weight_and_bias(convolution, sign)
            layers.append(Folded(weight, bias, np.zeros_like(bias)))
            sign = np.ones(len(bias))
        weight, bias = _weight_and_bias(last, sign)
        scale, shift = _scale_and_shift(unit, len(bias))
        sign = np.where(scale < 0, -1.0, 1.0)
        size, floor = np.abs(scale), sign * shift
        layers.append(Folded(weight * size[:, None, None, None], bias * size + floor, floor))
    return layers, sign


def largest_value(layers: Sequence[Folded]) -> float:
    """An upper bound of every value between the layers, for inputs in 0..1."""
    bound = 1.0
    for layer in layers:
        sums = np.abs(layer.weight).sum(axis=(1, 2, 3)) * bound + np.abs(layer.bias)
        bound = float(np.maximum(sums, np.abs(layer.floor)).max())
    return bound


def _weight_and_bias(convolution: nn.Conv2d, sign: Array) -> tuple[Array, Array]:
    weight = _numbers(convolution.weight) * sign[None, :, None, None]
    if convolution.bias is None:
        raise ValueError("a convolution of the trunk has no bias")
    return weight, _numbers(convolution.bias)


def _scale_and_shift(unit: nn.Module, channels: int) -> tuple[Array, Array]:
    """Batch norm in evaluation as y = scale * x + shift; the identity where the unit has none."""
    for norm in _norms(unit):
        scale = _numbers(norm.weight) / np.sqrt(_numbers(norm.running_var) + norm.eps)
        return scale, _numbers(norm.bias) - _numbers(norm.running_mean) * scale
    return np.ones(channels), np.zeros(channels)


def _norms(unit: nn.Module) -> Iterator[nn.BatchNorm2d]:
    return (layer for layer in unit.modules() if isinstance(layer, nn.BatchNorm2d))


def _numbers(tensor: Tensor | None) -> Array:
    if tensor is None:
        raise ValueError("a batch norm of the trunk keeps no statistics")
    return tensor.detach().cpu().double().numpy()
