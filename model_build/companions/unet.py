"""Unet: segmentation of hemorrhage on one brain-window slice.

Source: Hssayeni et al. 2020, Data 5(1):14, who used the U-Net of Ronneberger et al. 2015 on slices
of 640 x 640 pixels in the brain window 40/120. Chosen where that is silent: same padding, batch
norm behind every convolution.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DEPTH = 4  # halvings; a side must be divisible by 2 to this power
RARE_LOGIT = -4.0  # 1.8 % of the pixels
BRAIN_CENTER_HU, BRAIN_WIDTH_HU = 40.0, 120.0


class Unet(nn.Module):
    """Brain-window slices (B, S, S) in [0, 1] -> logits of blood (B, S, S)."""

    def __init__(self, base: int = 64) -> None:
        """Build it with fresh weights; `base` is the channels of the first level, 64 published."""
        super().__init__()
        self.config: dict[str, Any] = {"base": base}
        widths = [base * 2**level for level in range(DEPTH + 1)]
        self.down = nn.ModuleList(
            _double(before, after) for before, after in zip([1, *widths[:-1]], widths, strict=True)
        )
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(wide, slim, 2, 2) for wide, slim in pairs)
        self.up = nn.ModuleList(_double(wide, slim) for wide, slim in pairs)
        self.head = nn.Conv2d(base, 1, 1)
        # Blood is rare: from one half, the first epochs would go into learning that alone.
        nn.init.constant_(self.head.bias, RARE_LOGIT)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """(B, S, S) float in [0, 1] -> (B, S, S) logits.

        Raises:
            ValueError: another shape, or a side that is not a multiple of 16.
        """
        if images.ndim != 3 or any(side % 2**DEPTH for side in images.shape[1:]):
            raise ValueError("images are (B, S, S) with sides that are multiples of 16")
        maps, skipped = images.unsqueeze(1), []
        for level, block in enumerate(self.down):
            maps = block(maps if level == 0 else F.max_pool2d(maps, 2))
            skipped.append(maps)
        for grow, block, beside in zip(self.grow, self.up, skipped[-2::-1], strict=True):
            maps = block(torch.cat([beside, grow(maps)], dim=1))
        logits: Tensor = self.head(maps).squeeze(1)
        return logits


def soft_area(logits: Tensor) -> Tensor:
    """Expected share of a slice's pixels that is blood: (B, S, S) logits -> (B,) in 0..1.

    It grows with the lesion and with the certainty, so it ranks slices for the label `any`.
    """
    return logits.float().sigmoid().mean(dim=(1, 2))


def _double(channels: int, filters: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (channels, filters):
        layers += [
            nn.Conv2d(before, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
