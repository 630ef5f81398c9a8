"""Folding: plain numpy convolutions with the folded weights give what the trunk gives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from service.engine.native.folding import Folded, fold, fold_units, largest_value
from service.model.trunk import UNITS
from tests.service.engine.native.networks import nasty_network

Array = npt.NDArray[np.float64]


def convolved(maps: Array, layer: Folded, *, same: bool) -> Array:
    """(C, H, W) -> (D, H', W'): correlation written as a sum over taps, zero padding if `same`."""
    kernel = layer.weight.shape[-1]
    margin = kernel // 2 if same else 0
    padded = np.pad(maps, ((0, 0), (margin, margin), (margin, margin)))
    height, width = (padded.shape[axis] - kernel + 1 for axis in (1, 2))
    total = np.repeat(layer.bias[:, None], height * width, axis=1).reshape(-1, height, width)
    for dy in range(kernel):
        for dx in range(kernel):
            part = padded[:, dy : dy + height, dx : dx + width]
            total = total + np.einsum("dc,chw->dhw", layer.weight[:, :, dy, dx], part)
    return total


def pooled(maps: Array) -> Array:
    """Largest of each 2 x 2 block."""
    count, height, width = maps.shape
    return maps.reshape(count, height // 2, 2, width // 2, 2).max(axis=(2, 4))


def run_folded(layers: list[Folded], sign: Array, image: Array) -> Array:
    """The whole trunk with the folded weights: (1, S, S) -> the maps of unit 5."""
    maps, rest = image, iter(layers)
    for convolutions, same in UNITS:
        for place in range(len(convolutions)):
            layer = next(rest)
            maps = convolved(maps, layer, same=same)
            if place == len(convolutions) - 1:
                maps = pooled(maps)
            maps = np.maximum(maps, layer.floor[:, None, None])
    return maps * sign[:, None, None]


@pytest.mark.parametrize("bn_unit5", [True, False])
def test_folded_weights_give_the_maps_of_the_trunk(bn_unit5: bool) -> None:
    """Exact at padded borders too, with batch norms of every sign and zero."""
    network = nasty_network(2, bn_unit5=bn_unit5).double()
    layers, sign = fold_units(network.trunk)
    image = np.random.default_rng(3).random((1, 256, 256))
    with torch.inference_mode():
        expected = network.trunk.units(torch.from_numpy(image[None]))[0].numpy()
    np.testing.assert_allclose(run_folded(layers, sign, image), expected, atol=1e-9)
    assert bn_unit5 == bool((sign < 0).any())
    assert any((layer.floor < 0).any() for layer in layers)


def test_the_blob_holds_every_weight_in_order() -> None:
    """Weight, bias and floor of the first convolution lead; the last eight are the signs."""
    network = nasty_network(4)
    layers, sign = fold_units(network.trunk)
    blob = fold(network.trunk)
    assert blob.dtype == np.float32
    floors = sum(len(layer.floor) for layer in layers)
    assert len(blob) == 16_852 + floors + len(sign)
    np.testing.assert_array_equal(blob[:36], layers[0].weight.ravel().astype(np.float32))
    np.testing.assert_array_equal(blob[36:40], layers[0].bias.astype(np.float32))
    np.testing.assert_array_equal(blob[40:44], 0)
    np.testing.assert_array_equal(blob[-8:], sign)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_weights_that_could_overflow_are_refused(value: float) -> None:
    """A kernel whose sums may become infinite would not answer as torch does."""
    network = nasty_network(5)
    network.trunk.units[1][0].weight[0, 0, 0, 0] = value
    with pytest.raises(ValueError, match="finite"):
        fold(network.trunk)


def test_the_bound_follows_the_largest_sum() -> None:
    """Two layers by hand: 3 * 1 + 1 = 4, then 2 * 4 + 5 = 13."""
    first = Folded(np.array([[[[-3.0]]]]), np.array([1.0]), np.zeros(1))
    second = Folded(np.array([[[[2.0]]]]), np.array([-5.0]), np.zeros(1))
    assert largest_value([first, second]) == 13.0
