"""Compile: the kernels for a GPU that is not here, as Triton brings its own assembler.

The interpreter takes what the compiler refuses; this finds it without a GPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("triton")

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from service.engine.cuda.fused import TILINGS
from service.engine.cuda.kernels import INTERPRETED, convolution, windowed_convolutions
from service.engine.cuda.packing import Layer, pack
from tests.service.engine.native.networks import nasty_network

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(INTERPRETED, reason="nothing is compiled in the interpreter"),
]
H200 = GPUTarget("cuda", 90, 32)
SHARED_MEMORY = 227 * 1024  # bytes that one program may have there
FLOATS = ("lower", "width", "bias_1", "bias_2", "bias", "scale", "shift")


def compiled(kernel: Any, constants: dict[str, Any]) -> Any:
    """A kernel for the H200 in bfloat16, its arguments aligned as they are in `FusedNetwork`."""
    tiling = TILINGS[torch.bfloat16]
    constants |= {"TILE_Y": tiling.rows, "TILE_X": tiling.columns, "EMULATE": False}
    types: dict[str, str] = {}
    for name in kernel.arg_names:
        if name in constants:
            types[name] = "constexpr"
        elif name in ("size", "side", "windows"):
            types[name] = "i32"
        else:
            types[name] = {"voxels": "*i16"}.get(name, "*fp32" if name in FLOATS else "*bf16")
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, name in enumerate(kernel.arg_names)
        if types[name] != "constexpr" and name != "windows"
    }
    source = ASTSource(kernel, types, constexprs=constants, attrs=aligned)
    options = {"num_warps": tiling.warps, "num_stages": tiling.stages}
    return triton.compile(source, target=H200, options=options)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was compiled before is taken."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


def check(kernel: Any) -> None:
    """It was assembled, fits on the chip, and its products run on tensor cores."""
    assert kernel.asm["cubin"]
    assert kernel.metadata.shared <= SHARED_MEMORY
    assert "wgmma" in kernel.asm["ptx"]


def test_the_first_kernel_compiles_for_an_h200() -> None:
    """Windowing and the two convolutions of unit 1."""
    check(compiled(windowed_convolutions, {}))


@pytest.mark.parametrize("place", [0, 4])
def test_the_other_kernel_compiles_for_an_h200(place: int) -> None:
    """With pool and without."""
    layer: Layer = pack(nasty_network().trunk, torch.bfloat16)[1][place]
    names = ("channels", "filters", "kernel", "padding", "pool", "step", "runs")
    check(compiled(convolution, {name.upper(): getattr(layer, name) for name in names}))
