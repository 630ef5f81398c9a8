"""The networks against the layer table of the paper: shapes, parameter counts, initial values."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from service.model.conv_lstm import ConvLstm
from service.model.registry import NETWORKS
from service.model.slice_cnn import SliceCnn
from service.model.trunk import Trunk, flat_size

# Output of each unit behind its pool, for the sizes that the spec lists: (channels, height).
SHAPES = {
    512: ((16, 256), (16, 128), (16, 64), (8, 28), (8, 10)),
    384: ((16, 192), (16, 96), (16, 48), (8, 20), (8, 6)),
    256: ((16, 128), (16, 64), (16, 32), (8, 12), (8, 2)),
}


def count(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def slices(number: int, size: int = 256) -> tuple[Tensor, Tensor]:
    """Hounsfield slices of random patches, each with patches of its own size, and windows."""
    generator = torch.Generator().manual_seed(number)
    each = []
    for cells in (4, 8, 16, 32)[:number]:
        coarse = torch.randint(-100, 150, (cells, cells), generator=generator, dtype=torch.int16)
        each.append(coarse.repeat_interleave(size // cells, 0).repeat_interleave(size // cells, 1))
    voxels = torch.stack(each)
    return voxels, torch.tensor([[40.0 + i, 80.0] for i in range(number)])


def louder(network: nn.Module) -> nn.Module:
    """Double the kernels: at their first values the large Glorot biases drown the input."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.mul_(2.0)
    return network


@pytest.mark.parametrize("size", SHAPES)
def test_units_have_the_published_shapes(size: int) -> None:
    """Same padding in units 1-3 and valid in 4-5 give 28x28x8 and 10x10x8 at 512."""
    trunk, maps, found = Trunk(size).eval(), torch.zeros(1, 1, size, size), []
    with torch.inference_mode():
        for unit in trunk.units:
            maps = unit(maps)
            found.append((maps.shape[1], maps.shape[2]))
            assert maps.shape[2] == maps.shape[3]
    assert tuple(found) == SHAPES[size]
    assert maps.numel() == flat_size(size)


def test_the_flattened_maps_are_800_288_and_32_long() -> None:
    """The paper's 800, and the two smaller sizes of smoke training."""
    assert [flat_size(size) for size in (512, 384, 256)] == [800, 288, 32]


def test_128_pixels_are_too_small() -> None:
    """Unit 5 would collapse, so the size is refused."""
    with pytest.raises(ValueError, match="size"):
        flat_size(128)


def test_parameter_counts_are_those_of_the_layer_table() -> None:
    """Convolutions 16,852, dense 1,509,248, trunk with batch norm 1,526,228, all 1,659,098."""
    network = ConvLstm()
    trunk = network.trunk
    convolutions = [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
    assert sum(count(module) for module in convolutions) == 16_852
    assert count(trunk.dense) == 1_509_248
    assert count(trunk) == 1_526_228
    assert count(network) == 1_659_098
    assert count(SliceCnn()) == 1_526_228 + 774


def test_weights_and_biases_are_glorot_uniform() -> None:
    """Kernels within sqrt(6 / (fan_in + fan_out)), biases within sqrt(3 / n), and spread out."""
    for name, module in Trunk().named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan = module.weight.shape[0] + module.weight.shape[1]
            area = module.weight[0, 0].numel()
            for values, bound in (
                (module.weight, math.sqrt(6 / (fan * area))),
                (module.bias, math.sqrt(3 / module.bias.numel())),
            ):
                largest = float(values.detach().abs().max())
                assert largest <= bound, name
                assert values.numel() < 100 or largest > 0.9 * bound, name


def test_the_second_lstm_bias_is_zero_and_frozen() -> None:
    """Keras has one bias; torch's other one must stay out of the training."""
    lstm = ConvLstm(256).lstm
    assert not lstm.bias_hh_l0.requires_grad
    assert float(lstm.bias_hh_l0.abs().max()) == 0.0
    assert lstm.bias_ih_l0.requires_grad


@pytest.mark.parametrize("name", ["conv_lstm", "slice_cnn"])
def test_logits_do_not_depend_on_batch_mates_or_order(name: str) -> None:
    """One slice alone gives what it gives in a batch, in any place."""
    torch.manual_seed(1)
    network = louder(NETWORKS[name](256).eval())
    voxels, windows = slices(3)
    order = [2, 0, 1]
    with torch.inference_mode():
        together = network(voxels, windows)
        alone = torch.cat([network(voxels[i : i + 1], windows[i : i + 1]) for i in range(3)])
        shuffled = network(voxels[order], windows[order])
    assert together.shape == (3, 6)
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together[order], shuffled, atol=1e-4, rtol=1e-4)
    assert float((together[0] - together[1]).abs().max()) > 1e-2


def test_window_by_window_equals_all_windows_at_once() -> None:
    """The CPU order of work gives the features of the single large batch that a GPU runs."""
    torch.manual_seed(2)
    network = ConvLstm(256).eval()
    voxels, windows = slices(2)
    with torch.inference_mode():
        each = network.features(voxels, windows)
        at_once = network.trunk(network.windows(voxels, windows).flatten(0, 1)).view(2, 10, -1)
    torch.testing.assert_close(each, at_once, atol=1e-5, rtol=0)


def test_the_order_of_the_windows_matters_to_the_lstm() -> None:
    """It is a sequence model, not a mean over windows."""
    torch.manual_seed(3)
    network = ConvLstm(256)
    features = torch.randn(1, 10, 128)
    with torch.inference_mode():
        straight, reversed_ = (network.sequence_logits(f) for f in (features, features.flip(1)))
    assert float((straight - reversed_).abs().max()) > 1e-3


def test_the_window_head_takes_no_part_in_the_logits() -> None:
    """With it the six logits are the same; without it asking for its logits is an error."""
    torch.manual_seed(4)
    plain = ConvLstm(256).eval()
    headed = ConvLstm(256, window_head=True).eval()
    headed.load_state_dict(plain.state_dict(), strict=False)
    voxels, windows = slices(1)
    with torch.inference_mode():
        assert torch.equal(plain(voxels, windows), headed(voxels, windows))
        assert headed.window_logits(torch.zeros(1, 10, 128)).shape == (1, 10, 6)
    with pytest.raises(RuntimeError):
        plain.window_logits(torch.zeros(1, 10, 128))
