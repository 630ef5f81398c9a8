"""Fused: the paper's network with its convolutions in the Triton kernels, the rest in torch.

int16 HU, windows ─> limits ─> windowed_convolutions ─> convolution x 11 ─> maps (B, 10, 800)
─> dense layers, LSTM, head (one hundredth of the work, always float32) ─> logits (B, 6)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from service.engine.cuda.kernels import INTERPRETED, convolution, windowed_convolutions
from service.engine.cuda.packing import POOL, Layer, pack
from service.model.conv_lstm import ConvLstm

# More slices at once would only take memory: the maps of one take 63 MB in bfloat16.
SLICES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Tiling:
    """Blocks of 2x2 outputs in one program, and how the compiler may lay it out."""

    rows: int = 8
    columns: int = 16
    warps: int = 4
    stages: int = 2


# Reasoned, not measured: with more blocks the float32 kernels run out of registers.
TILINGS = {torch.float32: Tiling(rows=4), torch.bfloat16: Tiling()}


class FusedNetwork:
    """The network on the device of its weights, in one precision of the products.

    Args:
        network: in evaluation, float32, on its device.
        dtype: float32 or bfloat16.
        tiling: of the kernels, `TILINGS` if none is given.

    Raises:
        ValueError: the weights are not for these kernels.
    """

    def __init__(self, network: ConvLstm, dtype: torch.dtype, tiling: Tiling | None = None) -> None:
        self._network = network
        self._dtype = dtype
        self._tiling = tiling or TILINGS[dtype]
        self._first, self._layers = pack(network.trunk, dtype)

    def __call__(self, voxels_hu: Tensor, windows: Tensor) -> Tensor:
        """Logits float32 (B, 6) of int16 (B, S, S) HU and float32 (B, 2) windows on the device."""
        parts = zip(
            torch.split(voxels_hu, SLICES_AT_ONCE),
            torch.split(windows, SLICES_AT_ONCE),
            strict=True,
        )
        maps = torch.cat([self.maps(*part) for part in parts])
        # cuDNN would take TF32 for the LSTM, and a recurrence adds up what that rounds away.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return self._network.sequence_logits(self._network.trunk.dense(maps))

    def maps(self, voxels_hu: Tensor, windows: Tensor) -> Tensor:
        """What the dense layers see of the ten windows: float32 (B, 10, 800)."""
        lower, width = self._network.windows.limits(windows)
        found = self.windowed(voxels_hu, lower.contiguous(), width.contiguous())
        for layer in self._layers:
            found = self.convolved(found, layer)
        flat = found.permute(0, 3, 1, 2).flatten(1).float()  # torch flattens channels first
        return flat.view(*lower.shape, -1)

    def windowed(self, voxels_hu: Tensor, lower: Tensor, width: Tensor) -> Tensor:
        """The first two convolutions: int16 (B, S, S), float32 (B, T) HU -> (B * T, S, S, 8)."""
        size, tiling, first = voxels_hu.shape[1], self._tiling, self._first
        out = voxels_hu.new_empty(lower.numel(), size, size, 8, dtype=self._dtype)
        windowed_convolutions[self._grid(len(out), size)](
            voxels_hu, lower, width, first.weight_1, first.bias_1, first.weight_2, first.bias_2,
            out, size, lower.shape[1], TILE_Y=tiling.rows, TILE_X=tiling.columns,
            EMULATE=INTERPRETED, num_warps=tiling.warps, num_stages=tiling.stages,
        )  # fmt: skip
        return out

    def convolved(self, maps: Tensor, layer: Layer) -> Tensor:
        """One further convolution: (N, S, S, channels) -> (N, S', S', filters)."""
        size, tiling = maps.shape[1], self._tiling
        side = layer.side(size)
        stored = side // POOL if layer.pool else side
        out = maps.new_empty(len(maps), stored, stored, layer.filters)
        convolution[self._grid(len(maps), side)](
            maps, layer.weight, layer.bias, layer.scale, layer.shift, out, size, side,
            CHANNELS=layer.channels, FILTERS=layer.filters, KERNEL=layer.kernel,
            PADDING=layer.padding, POOL=layer.pool, STEP=layer.step, RUNS=layer.runs,
            TILE_Y=tiling.rows, TILE_X=tiling.columns, EMULATE=INTERPRETED,
            num_warps=tiling.warps, num_stages=tiling.stages,
        )  # fmt: skip
        return out

    def _grid(self, images: int, side: int) -> tuple[int, int]:
        """Programs for all tiles of all images."""
        blocks = side // POOL
        return -(-blocks // self._tiling.rows) * -(-blocks // self._tiling.columns), images
