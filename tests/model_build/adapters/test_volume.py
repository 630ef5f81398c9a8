"""Volumes: every orientation of a file gives the slices as DICOM shows them."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import pytest

from model_build.adapters.volume import VolumeFault, fits_mask, read_volume

# right, front, up: patient coordinates of NIfTI
SHOWN = np.zeros((8, 8, 3), np.int16)  # rows to the back, columns to the left
SHOWN[1, 6, 0] = 50  # front left of the first slice
SHOWN[0, 3, 2] = 70


def write(path: Path, values: npt.NDArray[np.generic], affine: npt.NDArray[np.float64]) -> Path:
    """A NIfTI file."""
    nibabel.save(nibabel.Nifti1Image(values, affine), path)  # type: ignore[attr-defined]
    return path


def stored(code: str) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float64]]:
    """SHOWN as a file whose voxel axes run to L/R, P/A and S/I as the code says."""
    sides = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "S": (2, 1), "I": (2, -1)}
    base = SHOWN.transpose(1, 0, 2)  # columns to the left, rows to the back, slices as stored
    (first, sign0), (second, sign1), (_, sign2) = (sides[letter] for letter in code)
    values = base if first == 0 else base.transpose(1, 0, 2)
    values = values[::-1] if sign0 == 1 else values  # base runs left and back: -1
    values = values[:, ::-1] if sign1 == 1 else values
    affine = np.eye(4)
    affine[:3, :3] = 0
    affine[first, 0], affine[second, 1], affine[2, 2] = 0.5 * sign0, 0.5 * sign1, 5.0 * sign2
    return np.ascontiguousarray(values), affine


@pytest.mark.parametrize("code", ["LPS", "RAS", "LAS", "RPS", "PLS", "ARS", "ALI", "RAI"])
def test_every_orientation_is_shown_the_same(tmp_path: Path, code: str) -> None:
    """The affine decides left, right, front and back; slices keep their stored number."""
    volume = read_volume(write(tmp_path / "v.nii", *stored(code)))
    np.testing.assert_array_equal(volume.voxels, SHOWN)
    assert volume.spacing_mm == (0.5, 0.5, 5.0)
    assert volume.tilt_deg == pytest.approx(0)
    assert volume.count == 3


def test_nibabels_own_axes_agree(tmp_path: Path) -> None:
    """Codes of the test files are those that nibabel reads from them."""
    image = nibabel.load(write(tmp_path / "v.nii", *stored("ALI")))  # type: ignore[attr-defined]
    assert nibabel.aff2axcodes(image.affine) == ("A", "L", "I")  # type: ignore[attr-defined]


def coronal() -> npt.NDArray[np.float64]:
    """An affine whose slices run to the front."""
    return np.array([[1, 0, 0, 0], [0, 0, 5, 0], [0, 1, 0, 0], [0, 0, 0, 1]], np.float64)


@pytest.mark.parametrize(
    ("values", "affine", "code"),
    [
        (SHOWN, coronal(), "volume_orientation"),
        (SHOWN[:, :4], np.eye(4), "matrix_not_square"),
        (SHOWN[:, :, 0], np.eye(4), "volume_shape"),
        (np.full((8, 8, 2), np.nan, np.float32), np.eye(4), "volume_not_finite"),
    ],
    ids=["coronal", "not square", "one picture", "NaN"],
)
def test_volumes_that_cannot_be_shown_say_why(
    tmp_path: Path, values: npt.NDArray[np.generic], affine: npt.NDArray[np.float64], code: str
) -> None:
    """Reject rather than guess."""
    with pytest.raises(VolumeFault) as caught:
        read_volume(write(tmp_path / "v.nii", values, affine))
    assert caught.value.code == code


def test_bytes_that_are_no_volume_are_corrupt(tmp_path: Path) -> None:
    """A truncated download."""
    (tmp_path / "v.nii").write_bytes(b"x" * 100)
    with pytest.raises(VolumeFault, match="volume_corrupt"):
        read_volume(tmp_path / "v.nii")


def blood_and_mask(home: Path, turned: npt.NDArray[np.bool_] | None = None) -> None:
    """Check a head with blood at one place against a mask there, or elsewhere."""
    hu = np.full((16, 16, 2), -1000, np.int16)
    hu[2:6, 9:12] = 60
    inside = hu == 60
    scan = read_volume(write(home / "s.nii", hu, np.eye(4)))
    drawn = inside if turned is None else turned
    fits_mask(scan, read_volume(write(home / "m.nii", drawn.astype(np.uint8), np.eye(4))))


def test_a_mask_that_lies_elsewhere_is_found(tmp_path: Path) -> None:
    """Flipped or turned by 90 degrees: traps of published copies."""
    inside = np.zeros((16, 16, 2), np.bool_)
    inside[2:6, 9:12] = True
    blood_and_mask(tmp_path)
    blood_and_mask(tmp_path, np.zeros_like(inside))
    for turned in (inside[::-1], inside[:, ::-1], np.rot90(inside), np.rot90(inside, 3)):
        with pytest.raises(VolumeFault, match="mask_orientation"):
            blood_and_mask(tmp_path, turned)
    with pytest.raises(VolumeFault, match="mask_shape"):
        blood_and_mask(tmp_path, inside[:, :, :1])
