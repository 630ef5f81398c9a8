"""HeadCrop: spends the convolutions of training on the head, not on the air around it.

(B, S, S) HU -> corner of each head -> (B, h, w) -> units 1-3 -> laid into air -> units 4-5
Every window shows air as 0, so units 1-3 say the same of every piece of air; it is worked out once.
A head fills about half of a slice. The network itself always sees whole slices.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from model_build import batch_norm
from model_build.augmentation import GRID
from model_build.map_heads import SHALLOW_UNITS
from service.model.trunk import Trunk

Size = tuple[int, int]
# Pixels of air of which the middle is out of reach of the border: units 1-3 see 35 pixels far.
AIR_TILE = 96
TISSUE_HU = 0.0
BORDER_SHARE = 0.03  # of the tissue that may lie beyond either side: tables, holders


def corners(voxels_hu: Tensor, size: Size) -> Tensor:
    """Top left pixel of a piece of `size` around each head, (B, 2) multiples of 8.

    Args:
        voxels_hu: (B, S, S).
        size: rows and columns, multiples of 8.
    """
    tissue = (voxels_hu[:, ::GRID, ::GRID] > TISSUE_HU).float()
    found = []
    for axis, length in enumerate(size):
        along = tissue.sum(dim=2 - axis).cumsum(dim=1)
        share = along / along[:, -1:].clamp(min=1.0)
        first = (share < BORDER_SHARE).sum(dim=1)
        last = (share < 1.0 - BORDER_SHARE).sum(dim=1)
        start = torch.div(first + last + 1 - length // GRID, 2, rounding_mode="floor")
        found.append(start.clamp(0, (voxels_hu.shape[1 + axis] - length) // GRID) * GRID)
    return torch.stack(found, dim=1)


def pieces(voxels_hu: Tensor, places: Tensor, size: Size) -> Tensor:
    """The pieces of (B, S, S) slices at `places`: (B, h, w)."""
    rows, columns = size
    return torch.stack(
        [
            voxels[top : top + rows, left : left + columns]
            for voxels, (top, left) in zip(voxels_hu, places.tolist(), strict=True)
        ]
    )


@torch.no_grad()
def air_maps(trunk: Trunk) -> Tensor:
    """What unit 3 says of air far from any border, by the running statistics: (16,)."""
    with batch_norm.fixed(trunk):
        weight = next(trunk.parameters())
        tile = torch.zeros(1, 1, AIR_TILE, AIR_TILE, device=weight.device)
        maps: Tensor = trunk.units[:SHALLOW_UNITS](tile)
    return maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].float()


def whole_maps(
    trunk: Trunk, windowed: Tensor, places: Tensor, air: Tensor, cells: int
) -> tuple[Tensor, Tensor]:
    """Maps of unit 3 and unit 5 of whole slices, of which only pieces were looked at.

    Args:
        trunk: the convolutions.
        windowed: (B, 1, h, w) pieces in [0, 1].
        places: (B, 2) corners of the pieces in pixels.
        air: (16,) maps of unit 3 where there is no piece.
        cells: side of the maps of unit 3 of a whole slice.

    Returns:
        (B, 16, cells, cells) and (B, 8, D, D).
    """
    seen = trunk.units[:SHALLOW_UNITS](windowed)
    around = air.to(seen.dtype).view(1, -1, 1, 1)
    down, right = (cells - length for length in seen.shape[-2:])
    laid = [
        F.pad(maps, (left, right - left, top, down - top))
        for maps, (top, left) in zip(seen - around, (places // GRID).tolist(), strict=True)
    ]
    shallow = (torch.stack(laid) + around).contiguous(memory_format=torch.channels_last)
    deep: Tensor = trunk.units[SHALLOW_UNITS:](shallow)
    return shallow, deep


def settle_batch_norm(trunk: Trunk, inputs: Iterable[tuple[Tensor, Tensor]], cells: int) -> None:
    """Set the batch-norm statistics to their plain mean over pieces.

    Args:
        trunk: its statistics are replaced.
        inputs: (B, 1, h, w) windowed pieces and their places, as training saw them.
        cells: side of the maps of unit 3 of a whole slice.
    """
    air = air_maps(trunk)
    with batch_norm.settling(trunk):
        for windowed, places in inputs:
            whole_maps(trunk, windowed, places, air, cells)
