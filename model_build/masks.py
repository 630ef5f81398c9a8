"""Masks: the lesion masks that stand beside some data sets, as coverage maps for training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_build.augmentation import GRID, Draw, coverage
from service.types import LABELS

if TYPE_CHECKING:
    from model_build.slice_set import SliceSet

SUBTYPES = len(LABELS) - 1


def read(folder: str, name: str, size: int) -> npt.NDArray[np.uint8]:
    """Mask of one slice, (S, S) uint8: 0 none, k for LABELS[k - 1], 6 a subtype unknown.

    A slice without a file has no lesion.

    Raises:
        ValueError: the picture is not S x S.
    """
    path = Path(folder) / f"{name}.png"
    if not path.exists():
        return np.zeros((size, size), dtype=np.uint8)
    from PIL import Image  # serving and training without masks do without it

    with Image.open(path) as picture:
        mask = np.asarray(picture, dtype=np.uint8)
    if mask.shape != (size, size):
        raise ValueError("a lesion mask has another size than its slice")
    return mask


def coverage_of(source: SliceSet, index: int, chosen: Draw) -> Tensor:
    """Coverage maps of one slice, (6, S / 8, S / 8); NaN where the set has no masks."""
    size = source.voxels.shape[-1]
    if source.masks is None:
        return torch.full((len(LABELS), size // GRID, size // GRID), float("nan"))
    return coverage(chosen, read(source.masks, source.names[index], size), SUBTYPES)
