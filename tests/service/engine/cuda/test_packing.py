"""Packing: the block matrices give the convolution, batch norm its two numbers."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from service.engine.cuda.packing import block_weights, pack, steps
from tests.service.engine.native.networks import nasty_network


@pytest.mark.parametrize(
    ("channels", "kernel", "block", "run"), [(1, 3, 4, 8), (4, 3, 2, 16), (4, 5, 2, 32)]
)
def test_a_patch_times_its_matrix_is_a_block_of_the_convolution(
    channels: int, kernel: int, block: int, run: int
) -> None:
    """A whole patch gives every output of the block; numbers beyond its rows have no weight."""
    torch.manual_seed(0)
    weight = torch.randn(3, channels, kernel, kernel)
    patch = torch.randn(1, channels, block + kernel - 1, block + kernel - 1)
    rows = patch.permute(0, 2, 3, 1).flatten(2)[0]  # (patch row, column and channel)
    filled = torch.full((len(rows), run), 1e6)
    filled[:, : rows.shape[1]] = rows
    matrix = block_weights(weight, block=block, run=run)
    found = (filled.flatten() @ matrix).view(block, block, 3)
    expected = functional.conv2d(patch, weight)[0].permute(1, 2, 0)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("run", "found"),
    [(16, (16, 1)), (24, (32, 1)), (32, (32, 1)), (48, (16, 3)), (64, (64, 1)), (96, (32, 3))],
)
def test_steps_hold_a_patch_row_with_the_fewest_zeros(run: int, found: tuple[int, int]) -> None:
    """Powers of two of at least 16."""
    assert steps(run) == found


def test_the_layers_are_those_of_the_trunk() -> None:
    """Kernels, paddings and pools of the paper's table behind the first two convolutions."""
    first, layers = pack(nasty_network().trunk, torch.bfloat16)
    assert (first.weight_1.shape, first.weight_2.shape) == ((48, 64), (64, 32))
    assert {first.weight_1.dtype, *(layer.weight.dtype for layer in layers)} == {torch.bfloat16}
    assert [(each.kernel, each.padding, each.channels, each.filters) for each in layers] == [
        (3, 1, 8, 16),
        (3, 1, 16, 4), (3, 1, 4, 8), (5, 2, 8, 16),
        (5, 2, 16, 4), (5, 2, 4, 8), (5, 2, 8, 16),
        (5, 0, 16, 4), (5, 0, 4, 8),
        (5, 0, 8, 8), (5, 0, 8, 8),
    ]  # fmt: skip
    assert [place for place, each in enumerate(layers) if each.pool] == [0, 3, 6, 8, 10]
    for each in layers:
        assert each.weight.shape == ((each.kernel + 1) * each.runs * each.step, 4 * each.filters)
    size = 512
    for each in layers:
        size = each.side(size) // (2 if each.pool else 1)
    assert size == 10


def test_scale_and_shift_are_the_batch_norm() -> None:
    """Also where gamma is negative or zero; the identity where a unit has none."""
    trunk = nasty_network(bn_unit5=False).trunk
    _, layers = pack(trunk, torch.float32)
    maps = torch.randn(2, 16, 5, 5)
    scale, shift = (each[:, None, None] for each in (layers[0].scale, layers[0].shift))
    torch.testing.assert_close(maps * scale + shift, trunk.units[0][-1](maps))
    assert (layers[0].scale < 0).any()
    assert (layers[-1].scale == 1).all()
    assert (layers[-1].shift == 0).all()


@pytest.mark.parametrize("name", ["units.0.0.weight", "units.2.2.bias", "units.3.5.running_mean"])
def test_weights_that_are_not_finite_are_refused(name: str) -> None:
    """The kernels' maxima would turn NaN into zero, and the answer would look like one."""
    trunk = nasty_network().trunk
    trunk.state_dict()[name].view(-1)[0] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        pack(trunk, torch.float32)
