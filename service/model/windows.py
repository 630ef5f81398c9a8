"""Windows: the ten systematic CT windows as the first layer of every window network.

Source: Rajagopal et al., Brain Sci. 2023, 13, 400, Table 4. Windowing is part of the network so
that training and serving cannot differ; only int16 Hounsfield slices cross to the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# (name, window centre, window width) in HU; window 0 is the default window of the DICOM object.
FIXED_WINDOWS: tuple[tuple[str, float, float], ...] = (
    ("brain", 40.0, 80.0),
    ("subdural_min", 50.0, 130.0),
    ("subdural_mid", 75.0, 215.0),
    ("subdural_max", 100.0, 300.0),
    ("tissue_min", 20.0, 350.0),
    ("tissue_mid", 40.0, 375.0),
    ("tissue_max", 60.0, 400.0),
    ("bone", 600.0, 2800.0),
    ("grey_white", 32.0, 8.0),
)
WINDOW_NAMES: tuple[str, ...] = ("default", *(name for name, _, _ in FIXED_WINDOWS))


class SystematicWindows(nn.Module):
    """Maps Hounsfield units to [0, 1] by ten windows: clip((HU - lower) / width, 0, 1)."""

    fixed: Tensor

    def __init__(self, fixed: Sequence[tuple[str, float, float]] = FIXED_WINDOWS) -> None:
        super().__init__()
        limits = torch.tensor([(center, width) for _, center, width in fixed])
        self.register_buffer("fixed", limits, persistent=False)

    @property
    def count(self) -> int:
        """Number of windows, the default one included."""
        return len(self.fixed) + 1

    def limits(self, default: Tensor) -> tuple[Tensor, Tensor]:
        """Lower limit and width of every window.

        Args:
            default: (B, 2) float32, centre and width in HU of each slice's own window.

        Returns:
            Two (B, T) float32 tensors in HU; lower = centre - width / 2, never rounded.
        """
        fixed = self.fixed.expand(len(default), -1, -1)
        both = torch.cat([default.to(self.fixed).unsqueeze(1), fixed], dim=1)  # (B, T, 2)
        center, width = both.unbind(-1)
        return center - width / 2, width

    def forward(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """All windows of each slice: (B, H, W) any dtype and (B, 2) -> (B, T, 1, H, W) float32."""
        lower, width = self.limits(default)
        return apply_window(voxels_hu.unsqueeze(1), lower, width).unsqueeze(2)


def apply_window(voxels_hu: Tensor, lower: Tensor, width: Tensor) -> Tensor:
    """Window slices in float32: (..., H, W) HU with limits (...) -> (..., H, W) in [0, 1].

    The arithmetic stays in float32 because bf16 holds integers exactly only to 256.
    """
    lower, width = lower[..., None, None], width[..., None, None]
    return ((voxels_hu.float() - lower) / width).clamp_(0.0, 1.0)
