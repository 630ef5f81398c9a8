"""Rise: how much brighter brain is close to the skull than in the middle of the head.

slice (HU) ─> cavity inside the skull ─> depth below the inner table ─> difference of two medians
Scanners leave it behind (glare, beam hardening); phantoms without it teach that it is blood.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from service.dicom.decode import decode_slice

_BONE_HU = 300
# Depth in pixels of about 0.45 mm: 3 to 6 mm under the skull, and the middle.
_NEAR_PX, _MIDDLE_PX = (7, 14), 45
_LEAST_PX = 30_000  # of the cavity: a smaller one has no middle
_SMOOTH_PX = 1.5


def rise_of(hu: npt.NDArray[np.int16]) -> float | None:
    """Median brain under the skull less that in the middle, HU.

    Args:
        hu: (512, 512) int16 HU.

    Returns:
        None where no closed skull is around a cavity that is large enough.
    """
    bone = hu > _BONE_HU
    filled = ndimage.binary_fill_holes(ndimage.binary_closing(bone, iterations=2))
    inside, count = ndimage.label(filled & ~ndimage.binary_dilation(bone))
    if not count:
        return None
    sizes = np.bincount(inside.ravel())
    sizes[0] = 0
    if sizes.max() < _LEAST_PX:
        return None
    depth = ndimage.distance_transform_edt(inside == sizes.argmax())
    smooth = ndimage.gaussian_filter(hu.astype(np.float32), _SMOOTH_PX)
    near = smooth[(depth >= _NEAR_PX[0]) & (depth < _NEAR_PX[1])]
    middle = smooth[depth >= _MIDDLE_PX]
    if not near.size or not middle.size:
        return None
    return float(np.median(near) - np.median(middle))


def median_rise(slices: Iterable[npt.NDArray[np.int16]]) -> float | None:
    """Median of `rise_of` over slices of (512, 512) HU; None where none has a rise."""
    found = [rise for hu in slices if (rise := rise_of(hu)) is not None]
    return float(np.median(found)) if found else None


def rise_beside(folder: Path) -> float | None:
    """`median_rise` of every DICOM file of a folder that the input gate lets through."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    decoded = (decode_slice(path.read_bytes()).slice_hu for path in files)
    return median_rise(each.voxels_hu for each in decoded if each is not None)
