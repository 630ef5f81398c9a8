"""Volume: one NIfTI file as axial slices the way DICOM shows them, or the reason why not.

voxel axes -> nearest patient axes (affine) -> rows run to the back, columns to the patient's left

The slice axis is not turned: slice numbers of label tables count the slices as stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

_TISSUE_HU = (0, 130)  # from fluid to dense clot; air and bone count as 0
_MARGIN_HU = (
    15.0  # by which a turned mask must be brighter: more than old blood is darker than brain
)
_TILT_LIMIT = 0.8  # |cos| between slice axis and body axis, as in the input gate


class VolumeFault(Exception):
    """A volume that cannot be used; `code` says why and names no file."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Volume:
    """Voxels int32 (rows, columns, slices) in stored slice order.

    Attributes:
        voxels: HU or mask values.
        spacing_mm: of columns, rows and slices.
        tilt_deg: angle between the slice axis and the body axis.
        affine: of the file, to compare two.
    """

    voxels: npt.NDArray[np.int32]
    spacing_mm: tuple[float, float, float]
    tilt_deg: float
    affine: npt.NDArray[np.float64]

    @property
    def count(self) -> int:
        """Slices."""
        return int(self.voxels.shape[2])

    def image(self, place: int) -> npt.NDArray[np.int32]:
        """Slice `place`, int32 (rows, columns)."""
        return np.ascontiguousarray(self.voxels[:, :, place])


def read_volume(path: Path) -> Volume:
    """Read one file; nibabel is imported here, only this data set needs it.

    Raises:
        VolumeFault: volume_corrupt, volume_shape, volume_not_finite, volume_orientation,
            matrix_not_square.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nibabel.load(path)
        values = np.asanyarray(image.dataobj)  # type: ignore[attr-defined]
        affine = np.asarray(image.affine, np.float64)  # type: ignore[attr-defined]
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise VolumeFault("volume_corrupt") from error
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim != 3:
        raise VolumeFault("volume_shape")
    if not (np.isfinite(values).all() and np.isfinite(affine).all()):
        raise VolumeFault("volume_not_finite")
    turned, tilt = _as_displayed(np.rint(values).astype(np.int32), affine)
    if turned.shape[0] != turned.shape[1]:
        raise VolumeFault("matrix_not_square")
    x, y, z = (float(size) for size in np.linalg.norm(affine[:3, :3], axis=0))
    return Volume(turned, (x, y, z), tilt, affine)


def _as_displayed(
    values: npt.NDArray[np.int32], affine: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int32], float]:
    """Rows to the back and columns to the left, (rows, columns, slices), and the tilt."""
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not lengths.all():
        raise VolumeFault("volume_orientation")
    cosines = axes / lengths  # patient axes right, front, up by voxel axis
    along = np.argmax(np.abs(cosines), axis=0)
    cosine = abs(float(cosines[2, 2]))
    if sorted(along) != [0, 1, 2] or along[2] != 2 or cosine < _TILT_LIMIT:
        raise VolumeFault("volume_orientation")
    if along[0] == 1:  # the first voxel axis runs front to back
        values, cosines = values.transpose(1, 0, 2), cosines[:, [1, 0, 2]]
    # NIfTI counts to the right and to the front, DICOM shows left and back at the far end.
    if cosines[0, 0] > 0:
        values = values[::-1]
    if cosines[1, 1] > 0:
        values = values[:, ::-1]
    return values.transpose(1, 0, 2), float(np.degrees(np.arccos(min(1.0, cosine))))


def fits_mask(scan: Volume, mask: Volume) -> None:
    """Check that a mask lies on blood, and better so than when it is flipped or turned.

    Published copies of the set exist whose masks are turned against their scans.

    Raises:
        VolumeFault: mask_shape, mask_orientation.
    """
    if scan.voxels.shape != mask.voxels.shape or not np.allclose(
        scan.affine, mask.affine, atol=1e-3
    ):
        raise VolumeFault("mask_shape")
    inside = mask.voxels > 0
    if not inside.any():
        return
    low, high = _TISSUE_HU
    tissue = np.where((scan.voxels > low) & (scan.voxels < high), scan.voxels, 0)
    others = [inside[::-1], inside[:, ::-1], inside[::-1, ::-1], inside.transpose(1, 0, 2)]
    others += [np.rot90(inside), np.rot90(inside, 3)]
    brightness = float(tissue[inside].mean())
    if any(float(tissue[other].mean()) > brightness + _MARGIN_HU for other in others):
        raise VolumeFault("mask_orientation")
