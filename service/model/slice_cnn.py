"""SliceCnn: the paper's stage-2 network, one window of a slice to six logits.

Served or evaluated as a model of its own it averages the logits of all ten windows.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from service.model.trunk import FEATURES, Trunk, glorot_
from service.model.windows import SystematicWindows, apply_window
from service.types import LABELS


class SliceCnn(nn.Module):
    """Trunk and a six-way head per window (Rajagopal et al. 2023, section 4.2, stage 2)."""

    def __init__(self, size: int = 512, bn_unit5: bool = True) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"size": size, "bn_unit5": bn_unit5}
        self.windows = SystematicWindows()
        self.trunk = Trunk(size, bn_unit5)
        self.head = nn.Linear(FEATURES, len(LABELS))
        glorot_(self.head)

    def forward(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """(B, H, W) HU and (B, 2) default windows -> (B, 6): the mean over the ten windows."""
        lower, width = self.windows.limits(default)
        logits = [
            self.window_logits(voxels_hu, lower[:, t], width[:, t])
            for t in range(self.windows.count)
        ]
        return sum(logits[1:], start=logits[0]) / len(logits)

    def window_logits(self, voxels_hu: Tensor, lower: Tensor, width: Tensor) -> Tensor:
        """One window per slice: (B, H, W) HU with limits (B,) in HU -> (B, 6) logits."""
        windowed = apply_window(voxels_hu, lower, width).unsqueeze(1)
        logits: Tensor = self.head(self.trunk(windowed))
        return logits
