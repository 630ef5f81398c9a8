"""Masks: which pixels of a written image are blood, and of which subtype.

blood fractions on the head grid ─> the image's own resampling ─> subtype index ─> masks/ID_*.png
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_build.synthetic.geometry import MATRIX, Field
from model_build.synthetic.labels import MIN_FRACTION

Mask = npt.NDArray[np.uint8]


def blood_mask(project: Callable[[Field], Field], blood: Mapping[int, Field]) -> Mask:
    """Subtype of every pixel that is half blood or more.

    Args:
        project: `acquisition.Scanner.project`, so that masks have the geometry and the point
            spread of the images; off the head grid it gives air, far below any fraction.
        blood: Label index -> (Y, X) blood fraction on the head grid.

    Returns:
        uint8 (512, 512): 0 = none, else 1 + index in LABELS of the largest fraction.
    """
    if not blood:
        return np.zeros((MATRIX, MATRIX), dtype=np.uint8)
    labels = np.array(sorted(blood), dtype=np.uint8)
    parts = np.stack([project(blood[k]) for k in sorted(blood)])
    largest = labels[parts.argmax(axis=0)] + 1
    found: Mask = np.where(parts.sum(axis=0) >= MIN_FRACTION, largest, 0).astype(np.uint8)
    return found


def write_mask(path: Path, mask: Mask) -> bool:
    """Write a mask as an 8-bit greyscale PNG; an empty one leaves no file. Returns if written."""
    from PIL import Image

    if not mask.any():
        path.unlink(missing_ok=True)  # of an earlier recipe
        return False
    Image.fromarray(mask).save(path, compress_level=6)
    return True


def read_mask(path: Path) -> Mask:
    """The mask of one slice, uint8 (512, 512) with values 0..5; zeros where there is no file.

    Raises:
        ValueError: the file is not an 8-bit greyscale image of 512 x 512 with values 0..5.
    """
    from PIL import Image

    if not path.exists():
        return np.zeros((MATRIX, MATRIX), dtype=np.uint8)
    with Image.open(path) as image:
        mask = np.asarray(image)
    if mask.dtype != np.uint8 or mask.shape != (MATRIX, MATRIX) or mask.max() > 5:
        raise ValueError("a mask is not an 8-bit image of 512 x 512 with values 0 to 5")
    return mask
