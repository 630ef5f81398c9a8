"""Kernels: the convolutions of the trunk in Triton; the only file that imports it.

A row of every matrix product is one block of 2x2 outputs, not one pixel. Its patch of (k+1) x (k+1)
inputs lies in k+1 runs of memory, and the weights (`service.engine.cuda.packing`) hold a zero where
an output does not see an input. So four outputs share their loads, the narrow layers (4 channels)
fill the 16 columns of a tensor core, and the block is exactly one window of the 2x2 max-pool.

Maps are NHWC. Products are of the weights' type (float32 without TF32, or bfloat16), sums float32.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _add_product(a: tl.tensor, b: tl.tensor, total: tl.tensor, EMULATE: tl.constexpr) -> tl.tensor:
    """`total` + a b. Triton's interpreter takes bfloat16 for integers here: it gets float32."""
    if EMULATE:
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, total, input_precision="ieee")


@triton.jit
def _blocks(
    blocks: tl.tensor, TILE_Y: tl.constexpr, TILE_X: tl.constexpr
) -> tuple[tl.tensor, tl.tensor]:
    """Row and column, in blocks, of each block of this program's tile: (TILE_Y * TILE_X, 1) each.

    Args:
        blocks: along one side of the outputs; a tile may reach beyond.
        TILE_Y: rows of blocks.
        TILE_X: columns of blocks.
    """
    across = tl.cdiv(blocks, TILE_X)
    place = tl.arange(0, TILE_Y * TILE_X)[:, None]
    by = tl.program_id(0) // across * TILE_Y + place // TILE_X
    bx = tl.program_id(0) % across * TILE_X + place % TILE_X
    return by, bx


@triton.jit
def _store_block(
    values: tl.tensor,
    out: tl.tensor,
    by: tl.tensor,
    bx: tl.tensor,
    side: tl.tensor,
    CHANNELS: tl.constexpr,
) -> None:
    """Store 2x2 outputs of every block: values (blocks, 2 * 2 * CHANNELS), `side` in outputs."""
    n = tl.arange(0, 4 * CHANNELS)[None, :]
    y = 2 * by + n // (2 * CHANNELS)
    at = (y * side + 2 * bx) * CHANNELS + n % (2 * CHANNELS)
    tl.store(out + at, values.to(out.dtype.element_ty), mask=(2 * by < side) & (2 * bx < side))


@triton.jit
def windowed_convolutions(
    voxels: tl.tensor,
    lower: tl.tensor,
    width: tl.tensor,
    weight_1: tl.tensor,
    bias_1: tl.tensor,
    weight_2: tl.tensor,
    bias_2: tl.tensor,
    out: tl.tensor,
    size: int,
    windows: int,
    TILE_Y: tl.constexpr,
    TILE_X: tl.constexpr,
    EMULATE: tl.constexpr,
) -> None:
    """Window of a slice, conv 3x3 1->4, ReLU, conv 3x3 4->8, ReLU; the four channels stay inside.

    A block of 2x2 outputs needs 4x4 of the first convolution, and these 6x6 voxels. The 6x6 are
    three products of two rows of 8 (two of them zero weights). Program: (tile, slice x window).

    Args:
        voxels: int16 (B, size, size) in HU.
        lower: float32 (B, windows) in HU.
        width: float32 (B, windows) in HU.
        weight_1: (6 * 8, 4 * 4 * 4).
        bias_1: float32 (4,).
        weight_2: (4 * 4 * 4, 2 * 2 * 8).
        bias_2: float32 (8,).
        out: (B * windows, size, size, 8) of the weights' type.
        size: even.
        windows: of each slice.
        TILE_Y: rows of blocks.
        TILE_X: columns of blocks.
        EMULATE: see `_add_product`.
    """
    image = tl.program_id(1).to(tl.int64)
    by, bx = _blocks(size // 2, TILE_Y, TILE_X)
    source = voxels + image // windows * size * size
    low, wide = tl.load(lower + image), tl.load(width + image)
    k, n = tl.arange(0, 16)[None, :], tl.arange(0, 64)[None, :]
    hidden = tl.zeros((TILE_Y * TILE_X, 64), tl.float32)
    for rows in tl.static_range(3):
        y, x = 2 * by - 2 + 2 * rows + k // 8, 2 * bx - 2 + k % 8
        inside = (k % 8 < 6) & (y >= 0) & (y < size) & (x >= 0) & (x < size)
        hu = tl.load(source + y * size + x, mask=inside, other=0).to(tl.float32)
        seen = tl.minimum(tl.maximum(tl.div_rn(hu - low, wide), 0.0), 1.0)
        # The border is zero behind the window, which zero HU need not be.
        seen = tl.where(inside, seen, 0.0).to(weight_1.dtype.element_ty)
        weight = tl.load(weight_1 + (16 * rows + tl.arange(0, 16)[:, None]) * 64 + n)
        hidden = _add_product(seen, weight, hidden, EMULATE)
    hidden = tl.maximum(hidden + tl.load(bias_1 + n % 4), 0.0)
    # The second convolution sees zeros outside, not what the first would give there.
    y, x = 2 * by - 1 + n // 16, 2 * bx - 1 + n // 4 % 4
    hidden = tl.where((y >= 0) & (y < size) & (x >= 0) & (x < size), hidden, 0.0)
    m = tl.arange(0, 32)[None, :]
    weight = tl.load(weight_2 + tl.arange(0, 64)[:, None] * 32 + m)
    zero = tl.zeros((TILE_Y * TILE_X, 32), tl.float32)
    total = _add_product(hidden.to(weight_2.dtype.element_ty), weight, zero, EMULATE)
    total = tl.maximum(total + tl.load(bias_2 + m % 8), 0.0)
    _store_block(total, out + image * size * size * 8, by, bx, size, 8)


@triton.jit
def convolution(
    maps: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    scale: tl.tensor,
    shift: tl.tensor,
    out: tl.tensor,
    size: int,
    side: int,
    CHANNELS: tl.constexpr,
    FILTERS: tl.constexpr,
    KERNEL: tl.constexpr,
    PADDING: tl.constexpr,
    POOL: tl.constexpr,
    STEP: tl.constexpr,
    RUNS: tl.constexpr,
    TILE_Y: tl.constexpr,
    TILE_X: tl.constexpr,
    EMULATE: tl.constexpr,
) -> None:
    """Convolution and ReLU, or convolution, max-pool 2x2, ReLU and batch norm, of every block.

    Program: (tile, image). Each row of a patch is RUNS products of STEP numbers.

    Args:
        maps: (N, size, size, CHANNELS) of the weights' type.
        weight: ((KERNEL + 1) * RUNS * STEP, 2 * 2 * FILTERS).
        bias: float32 (FILTERS,).
        scale: float32 (FILTERS,), of the batch norm; used with POOL only.
        shift: float32 (FILTERS,), of the batch norm; used with POOL only.
        out: (N, side, side, FILTERS), with POOL (N, side / 2, side / 2, FILTERS).
        size: of the maps.
        side: of the convolution's outputs, size + 2 * PADDING + 1 - KERNEL; even.
        CHANNELS: of the maps.
        FILTERS: of the outputs.
        KERNEL: 3 or 5.
        PADDING: zeros on each side.
        POOL: whether the unit ends here.
        STEP: a power of two, at least 16.
        RUNS: so that RUNS * STEP is at least (KERNEL + 1) * CHANNELS.
        TILE_Y: rows of blocks.
        TILE_X: columns of blocks.
        EMULATE: see `_add_product`.
    """
    image = tl.program_id(1).to(tl.int64)
    by, bx = _blocks(side // 2, TILE_Y, TILE_X)
    source = maps + image * size * size * CHANNELS
    n = tl.arange(0, 4 * FILTERS)[None, :]
    total = tl.zeros((TILE_Y * TILE_X, 4 * FILTERS), tl.float32)
    for step in range((KERNEL + 1) * RUNS):
        k = step % RUNS * STEP + tl.arange(0, STEP)[None, :]
        y, x = 2 * by - PADDING + step // RUNS, 2 * bx - PADDING + k // CHANNELS
        inside = (y >= 0) & (y < size) & (x >= 0) & (x < size) & (k < (KERNEL + 1) * CHANNELS)
        at = (y * size + 2 * bx - PADDING) * CHANNELS + k
        patch = tl.load(source + at, mask=inside, other=0.0)
        rows = step * STEP + tl.arange(0, STEP)[:, None]
        total = _add_product(patch, tl.load(weight + rows * 4 * FILTERS + n), total, EMULATE)
    if POOL:
        c = tl.arange(0, FILTERS)[None, :]
        # Pool and ReLU commute with each other and with the bias; batch norm must come last.
        pooled = tl.max(tl.reshape(total, (TILE_Y * TILE_X, 4, FILTERS)), axis=1)
        pooled = tl.maximum(pooled + tl.load(bias + c), 0.0)
        pooled = pooled * tl.load(scale + c) + tl.load(shift + c)
        half = side // 2
        at = (image * half * half + by * half + bx) * FILTERS + c
        tl.store(out + at, pooled.to(out.dtype.element_ty), mask=(by < half) & (bx < half))
    else:
        total = tl.maximum(total + tl.load(bias + n % FILTERS), 0.0)
        _store_block(total, out + image * side * side * FILTERS, by, bx, side, FILTERS)


# Whether TRITON_INTERPRET was set when this was imported: no GPU, numpy instead.
INTERPRETED = not isinstance(convolution, triton.JITFunction)
