"""WindowSeries: the proposed successor: ten windows fused by attention, and a GRU over slices.

three slices HU 512 -> area mean 256 -> each window -> shared stem -> ten tokens 64x64x32
  -> fusion 64x64x64 -> residual trunk -> embedding 256 -> six logits of the slice
embeddings of a series -> bi-GRU -> corrected slice logits and six series logits
Source: spec variant `plus`. The published gain lies in the context between slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from service.model.residual import EMBEDDING, ResidualTrunk
from service.model.series_head import SeriesHead
from service.model.window_fusion import FUSIONS, TOKEN
from service.model.windows import WINDOW_NAMES, SystematicWindows, apply_window
from service.types import LABELS

CONTEXTS = (1, 3)
STRIDES = 64  # area mean 2, stem 4, trunk 8: what a side must be divisible by
STEM = 16


class WindowSeries(nn.Module):
    """Slices with their neighbours (B, 3, H, W) HU and default windows (B, 2) -> (B, 6) logits."""

    def __init__(
        self,
        size: int = 512,
        fusion: str = "attention",
        windows: Sequence[int] = tuple(range(len(WINDOW_NAMES))),
        context: int = 3,
        series: bool = False,
    ) -> None:
        """Build it with fresh weights.

        Args:
            size: pixels of a slice's side, a multiple of 64; 512 except in tests.
            fusion: a key of `FUSIONS`.
            windows: which of the ten windows, in the order in which they are read.
            context: 3 to see the neighbours of a slice as channels, 1 for the slice alone.
            series: whether the head over the slices of a series is there.

        Raises:
            ValueError: a value outside those.
        """
        super().__init__()
        _check(size, fusion, windows, context)
        self.config: dict[str, Any] = {
            "size": size,
            "fusion": fusion,
            "windows": [int(index) for index in windows],
            "context": context,
            "series": series,
        }
        self.windows = SystematicWindows()
        self.stem = nn.Sequential(
            nn.Conv2d(context, STEM, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(STEM, TOKEN, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(TOKEN),
            nn.ReLU(inplace=True),
        )
        self.fusion = FUSIONS[fusion](len(windows))
        self.trunk = ResidualTrunk()
        self.head = nn.Linear(EMBEDDING, len(LABELS))
        self.series = SeriesHead() if series else None

    def forward(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """(B, H, W) or (B, 3, H, W) HU, any dtype, and (B, 2) centre and width in HU -> (B, 6).

        Raises:
            ValueError: as `embed`.
        """
        logits: Tensor = self.head(self.embed(voxels_hu, default))
        return logits

    def embed(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """Embeddings of slices: (B, H, W) or (B, 3, H, W) HU and (B, 2) -> (B, 256).

        The three are the slice before, the slice and the slice behind; a slice alone stands for
        its own neighbours. All three are seen by the windows of the one in the middle.

        Raises:
            ValueError: another shape, or a side that is not a multiple of 64.
        """
        embedding: Tensor = self.trunk(self.fusion(self.tokens(voxels_hu, default)))
        return embedding

    def tokens(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """One token per window: HU and (B, 2) as for `embed` -> (B, T, 32, H / 8, W / 8)."""
        # Averaged before windowing: behind it, one saturated pixel would not count in full.
        pooled = F.avg_pool2d(self._with_context(voxels_hu).float(), 2)
        lower, width = (
            limits[:, self.config["windows"]] for limits in self.windows.limits(default)
        )
        if self.training or pooled.is_cuda:
            # Batch norm needs the statistics over all windows, and a GPU a large batch.
            spread = apply_window(pooled.unsqueeze(1), lower.unsqueeze(2), width.unsqueeze(2))
            flat: Tensor = self.stem(spread.flatten(0, 1))
            return flat.view(*lower.shape, *flat.shape[1:])
        # On a CPU the working set decides: one window at a time stays in the cache.
        each = [
            self.stem(apply_window(pooled, lower[:, t, None], width[:, t, None]))
            for t in range(lower.shape[1])
        ]
        return torch.stack(each, dim=1)

    def series_logits(self, embeddings: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the slices of one series and of the series: (T, 256), (T,) -> (T, 6), (6,).

        `z` is the position along the slice normal in mm, in the order of the slices.

        Raises:
            RuntimeError: the network was built without its series head.
            ValueError: as `SeriesHead.forward`.
        """
        if self.series is None:
            raise RuntimeError("this network has no series head")
        slices, whole = self.series(embeddings, z, self.head(embeddings))
        return slices, whole

    def _with_context(self, voxels_hu: Tensor) -> Tensor:
        """(B, context, H, W) of what was given."""
        if voxels_hu.ndim == 3:
            voxels_hu = voxels_hu.unsqueeze(1).expand(-1, 3, -1, -1)
        if voxels_hu.ndim != 4 or voxels_hu.shape[1] != 3:
            raise ValueError("slices are (B, H, W), or (B, 3, H, W) with their neighbours")
        if any(side % STRIDES for side in voxels_hu.shape[2:]):
            raise ValueError("the sides of a slice must be multiples of 64 pixels")
        return voxels_hu if self.config["context"] == 3 else voxels_hu[:, 1:2]


def with_neighbours(voxels_hu: Tensor) -> Tensor:
    """Each slice of a series between its neighbours: (T, H, W) in order -> (T, 3, H, W).

    The first and the last slice repeat themselves where a neighbour is missing.
    """
    before = torch.cat([voxels_hu[:1], voxels_hu[:-1]])
    after = torch.cat([voxels_hu[1:], voxels_hu[-1:]])
    return torch.stack([before, voxels_hu, after], dim=1)


def _check(size: int, fusion: str, windows: Sequence[int], context: int) -> None:
    if size <= 0 or size % STRIDES:
        raise ValueError("the size must be a multiple of 64 pixels")
    if fusion not in FUSIONS:
        raise ValueError(f"the fusion must be one of {', '.join(FUSIONS)}")
    if not windows or len(set(windows)) != len(windows):
        raise ValueError("at least one window is needed, and none of them twice")
    if not set(windows) <= set(range(len(WINDOW_NAMES))):
        raise ValueError("windows are numbered 0 to 9")
    if context not in CONTEXTS:
        raise ValueError("the context is 1 slice or 3")
