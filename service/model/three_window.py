"""ThreeWindow: what the companions share, three CT windows as the colour channels of one image.

Source: R. Kumar 2021 (MSc project, National College of Ireland): brain 40/80, subdural 80/200 and
a "bone" window 40/380, which really is the soft-tissue window; each in [0, 1], resized afterwards.
He stored 8-bit PNG files in between; here the values stay float32 (chosen).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from service.model.windows import apply_window

# (name, window centre, window width) in HU, in the order of the channels.
THREE_WINDOWS: tuple[tuple[str, float, float], ...] = (
    ("brain", 40.0, 80.0),
    ("subdural", 80.0, 200.0),
    ("soft_tissue", 40.0, 380.0),
)


class ThreeWindows(nn.Module):
    """Slices (B, H, W) HU, any dtype -> images (B, 3, size, size) float32 in [0, 1]."""

    limits: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        limits = torch.tensor([(center - width / 2, width) for _, center, width in THREE_WINDOWS])
        self.register_buffer("limits", limits, persistent=False)

    def forward(self, voxels_hu: Tensor) -> Tensor:
        """Window first, then resize: (B, H, W) HU -> (B, 3, size, size).

        The resize is bilinear with anti-aliasing, as in Pillow: going down every pixel of the
        slice counts. The source names no filter (chosen).
        """
        lower, width = self.limits.unbind(-1)
        windowed = apply_window(voxels_hu.unsqueeze(1), lower, width)
        side = (self.size, self.size)
        if windowed.shape[-2:] == side:
            return windowed
        return F.interpolate(windowed, side, mode="bilinear", align_corners=False, antialias=True)


class ThreeWindowNetwork(nn.Module):
    """A classifier of three-channel images; subclasses define `logits`.

    The default window of the DICOM object takes no part: the three windows are fixed.
    """

    def __init__(self, size: int, outputs: int, **more: str) -> None:
        """Keep the configuration.

        Args:
            size: side of the image in pixels.
            outputs: 6 for the labels of the service, 1 for hemorrhage yes or no.
            more: further entries of the configuration.

        Raises:
            ValueError: a size or number of outputs below one.
        """
        super().__init__()
        if size < 1 or outputs < 1:
            raise ValueError("size and outputs of a network must be positive")
        self.config: dict[str, Any] = {"size": size, "outputs": outputs, **more}
        self.windows = ThreeWindows(size)

    def forward(self, voxels_hu: Tensor, default: Tensor) -> Tensor:
        """(B, H, W) HU, any dtype, and (B, 2) default windows, unused -> (B, outputs) logits."""
        return self.logits(self.windows(voxels_hu))

    def image_logits(self, images: Tensor) -> Tensor:
        """Images without Hounsfield units: uint8 RGB (B, 3, size, size) -> (B, outputs) logits.

        The way of the Kaggle head-CT set of 200 PNG files: divided by 255, no window.

        Raises:
            ValueError: another dtype or shape.
        """
        side = self.windows.size
        if images.dtype != torch.uint8 or images.shape[1:] != (3, side, side):
            raise ValueError("images must be 8-bit RGB of the size of the network")
        return self.logits(images.float() / 255.0)

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, size, size) float32 in [0, 1] -> (B, outputs)."""
        raise NotImplementedError  # each network's own; this class is their common front
