"""Networks and slices of the native tests: whatever a kernel might get wrong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from service.engine.native.library import Jobs, Variant, variants
from service.model.conv_lstm import ConvLstm
from service.model.host_memory import keep_freed_pages

needs_library = pytest.mark.skipif(
    not variants(), reason="the native library was not built, or the processor lacks AVX2"
)
ALL_VARIANTS = {"amx": "fp32", "amx_bf16": "bf16", "avx512": "fp32", "avx512_bf16": "bf16",
                "avx2": "fp32"}  # fmt: skip


def on_each_variant(*precisions: str) -> pytest.MarkDecorator:
    """Run a test with each `variant` of these precisions; skipped where it does not run."""
    here = {each.name for each in variants()}
    cases = []
    for name in (name for name, precision in ALL_VARIANTS.items() if precision in precisions):
        absent = pytest.mark.skipif(name not in here, reason=f"no {name} on this processor")
        cases.append(pytest.param(Variant(name, ALL_VARIANTS[name]), id=name, marks=absent))
    return pytest.mark.parametrize("variant", cases)


SIZE = 512
# (centre, width) in HU: the brain window, odd ones, and some that clip all slices to 0 or to 1.
WINDOWS = np.array(
    [[40.0, 80.0], [33.3, 77.7], [-999.5, 1.0], [40000.0, 1.0], [-40000.0, 3.0]], np.float32
)


def nasty_network(seed: int = 0, *, bn_unit5: bool = True) -> ConvLstm:
    """The paper's network with batch norms of every sign, a zero, and large shifts."""
    keep_freed_pages()  # or torch's forwards, the reference, take four times as long
    torch.manual_seed(seed)
    network = ConvLstm(bn_unit5=bn_unit5).eval().requires_grad_(False)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias, std=0.5)
            layer.weight[1], layer.weight[2] = 0.0, -abs(layer.weight[2])
            assert layer.running_mean is not None
            assert layer.running_var is not None
            nn.init.normal_(layer.running_mean, std=0.2)
            nn.init.uniform_(layer.running_var, 0.05, 1.0)
    return network


def head(middle_x: int, middle_y: int, seed: int) -> npt.NDArray[np.int16]:
    """A noisy ellipse of tissue in air, which the border may cut: int16 (512, 512) HU."""
    y, x = np.mgrid[:SIZE, :SIZE]
    inside = ((x - middle_x) / 150) ** 2 + ((y - middle_y) / 190) ** 2 < 1
    tissue = np.random.default_rng(seed).integers(20, 110, (SIZE, SIZE))
    return np.where(inside, tissue, -1000).astype(np.int16)


def specks(seed: int) -> npt.NDArray[np.int16]:
    """Single bright voxels in air, in the corners, at the borders and anywhere."""
    slice_hu = np.full((SIZE, SIZE), -1024, np.int16)
    places = np.random.default_rng(seed).integers(0, SIZE, (12, 2))
    for y, x in (*places, (0, 0), (511, 511), (0, 511), (511, 0), (255, 511), (0, 256)):
        slice_hu[y, x] = 300
    return slice_hu


def noise(seed: int) -> npt.NDArray[np.int16]:
    """Tissue to every border: nothing to skip."""
    return np.random.default_rng(seed).integers(-60, 220, (SIZE, SIZE)).astype(np.int16)


def air() -> npt.NDArray[np.int16]:
    """Nothing at all."""
    return np.full((SIZE, SIZE), -1024, np.int16)


def slices() -> npt.NDArray[np.int16]:
    """One of each kind: int16 (5, 512, 512) HU."""
    return np.stack([head(250, 262, 1), head(500, 20, 2), specks(3), noise(4), air()])


def all_jobs(network: ConvLstm, count: int) -> Jobs:
    """The ten windows of `count` slices whose default windows are the first of `WINDOWS`."""
    lower, width = network.windows.limits(torch.from_numpy(WINDOWS[:count]))
    return Jobs(
        np.repeat(np.arange(count, dtype=np.int32), network.windows.count),
        lower.flatten().numpy(),
        width.flatten().numpy(),
    )
