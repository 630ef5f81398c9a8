"""Kernels: the same maps as torch, at every border, for every kind of layer.

They run on a GPU, or in Triton's interpreter: `test_interpreter.py` starts a process for that.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("triton")

from service.engine.cuda.fused import FusedNetwork, Tiling
from service.engine.cuda.kernels import INTERPRETED
from service.engine.cuda.packing import Layer, pack
from service.model.conv_lstm import ConvLstm
from service.model.windows import apply_window
from tests.service.engine.native.networks import nasty_network

pytestmark = [
    pytest.mark.skipif(
        not INTERPRETED and not torch.cuda.is_available(),
        reason="no GPU; test_interpreter.py runs these in Triton's interpreter",
    ),
    *([] if INTERPRETED else [pytest.mark.gpu]),
]
DEVICE = "cpu" if INTERPRETED else "cuda"
TILE = Tiling(rows=16, columns=8)  # no multiple of the maps below, in either direction
CLOSE = {torch.float32: 2e-5, torch.bfloat16: 4e-2}  # maps reach 3


@pytest.fixture(scope="module")
def network() -> ConvLstm:
    """Batch norms of every sign, exact products."""
    torch.backends.cudnn.allow_tf32 = False
    return nasty_network().to(DEVICE)


def check(found: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    """NHWC maps of a kernel against NCHW maps of torch; the maps must say something."""
    assert found.dtype == dtype
    assert expected.std() > 0.01
    torch.testing.assert_close(
        found.float().permute(0, 3, 1, 2), expected, atol=CLOSE[dtype], rtol=CLOSE[dtype] / 2
    )


def noise(slices: int, size: int) -> Tensor:
    """Tissue to every border: int16 (slices, size, size) HU."""
    torch.manual_seed(3)
    return torch.randint(-60, 220, (slices, size, size), dtype=torch.int16, device=DEVICE)


@pytest.mark.parametrize("dtype", CLOSE)
def test_the_first_two_convolutions_window_the_slice_themselves(
    network: ConvLstm, dtype: torch.dtype
) -> None:
    """Two slices in two windows each; zero HU is not zero in the second, the border is."""
    voxels = noise(2, 36)
    lower = torch.tensor([[0.0, -155.0], [-5.15, -32.5]], device=DEVICE)
    width = torch.tensor([[80.0, 350.0], [77.7, 215.0]], device=DEVICE)
    windowed = apply_window(voxels.unsqueeze(1), lower, width).flatten(0, 1).unsqueeze(1)
    expected = network.trunk.units[0][:4](windowed)  # type: ignore[index]
    check(FusedNetwork(network, dtype, TILE).windowed(voxels, lower, width), expected, dtype)


def reference(network: ConvLstm, place: int) -> nn.Sequential:
    """The torch modules of one further convolution, pool and batch norm where its unit ends."""
    found: list[nn.Sequential] = []
    for unit in network.trunk.units:
        parts = list(unit.children())  # type: ignore[arg-type]
        starts = [at for at, each in enumerate(parts) if isinstance(each, nn.Conv2d)]
        ends = [*starts[1:], len(parts)]
        found += [nn.Sequential(*parts[a:b]) for a, b in zip(starts, ends, strict=True)]
    return found[2 + place]


@pytest.mark.parametrize(
    ("place", "dtype"),
    [*((place, torch.float32) for place in range(11)), (0, torch.bfloat16), (4, torch.bfloat16)],
)
def test_every_further_convolution(network: ConvLstm, place: int, dtype: torch.dtype) -> None:
    """Same and valid padding, with and without pool; negative inputs, as a batch norm gives."""
    fused = FusedNetwork(network, dtype, TILE)
    layer: Layer = pack(network.trunk, dtype)[1][place]
    torch.manual_seed(place)
    size = 20 if layer.padding else 24
    maps = torch.randn(2, size, size, layer.channels, device=DEVICE).to(dtype)
    expected = reference(network, place)(maps.float().permute(0, 3, 1, 2))
    check(fused.convolved(maps, layer), expected, dtype)


def test_the_whole_network_gives_the_logits_of_torch() -> None:
    """At 256 pixels, where the maps of one slice end as 32 numbers, in the window of the slice."""
    torch.manual_seed(5)
    network = ConvLstm(size=256).eval().requires_grad_(False).to(DEVICE)
    network.windows.fixed = network.windows.fixed[:0]  # the interpreter is slow
    tiling = Tiling(rows=128, columns=128) if INTERPRETED else None
    fused = FusedNetwork(network, torch.float32, tiling)
    voxels, windows = noise(1, 256), torch.tensor([[33.3, 77.7]], device=DEVICE)
    torch.testing.assert_close(
        fused.maps(voxels, windows), network.maps(voxels, windows), atol=1e-4, rtol=1e-4
    )
    torch.testing.assert_close(
        fused(voxels, windows), network(voxels, windows), atol=1e-5, rtol=1e-5
    )
