"""DICOM files of training sets: traps of RSNA 2019, positions, and nothing repaired silently."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_build.adapters.dicom_file import read_dicom, read_tags
from model_build.adapters.records import Item, Record
from service.dicom.limits import Caps
from service.dicom.patient import patient_key
from tests.factories import DROP, head_hu, make_ct_slice

LENIENT = Caps(lenient_uids=True)


def read(home: Path, *, caps: Caps = LENIENT, only_512: bool = False, **fields: Any) -> Record:
    """The record of a slice with some fields changed."""
    path = home / "x.dcm"
    path.write_bytes(make_ct_slice(**fields))
    return read_dicom(Item(path, "x", None), caps, only_512=only_512)


def test_identifiers_of_the_challenge_are_accepted_there_alone(tmp_path: Path) -> None:
    """`ID_...` is no UID: tolerated for RSNA, refused elsewhere, and never warned about."""
    uids = dict.fromkeys(("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"), "ID_0a1")
    assert read(tmp_path, **uids).refused == ""
    assert read(tmp_path, **uids).series_key != ""
    assert read(tmp_path, caps=Caps(), **uids).refused == "identity_missing"


def test_short_pixel_data_is_refused_by_its_length(tmp_path: Path) -> None:
    """ID_6431af929 holds 153,710 bytes instead of 524,288."""
    record = read(tmp_path, PixelData=bytes(153_710))
    assert (record.refused, record.voxels) == ("pixel_length", None)


def test_wrapped_twelve_bit_values_are_unwrapped_and_counted(tmp_path: Path) -> None:
    """Stored without its offset: the round trip gives the HU back."""
    hu = head_hu().astype(np.int32)
    wrapped = np.where(hu < 0, hu + 4096, hu)
    record = read(tmp_path, pixels=wrapped, RescaleIntercept="0")
    assert record.voxels is not None
    np.testing.assert_array_equal(record.voxels, hu)
    assert record.corrections == ("fix_wraparound",)


def test_padding_below_air_is_air_and_counted(tmp_path: Path) -> None:
    """Raw -2000 in signed data is no tissue."""
    stored = head_hu().astype(np.int16) + 1024
    stored[:10] = -2000
    record = read(tmp_path, pixels=stored, PixelRepresentation=1, BitsStored=16, HighBit=15)
    assert record.voxels is not None
    assert record.voxels.min() == -1000
    assert record.corrections == ("fix_padding",)


def test_a_window_with_leading_zeros_and_several_values_is_its_first(tmp_path: Path) -> None:
    """'00036' is 36."""
    record = read(tmp_path, WindowCenter=b"00036\\00600", WindowWidth=b"00080\\02800")
    assert record.window == (36.0, 80.0)


def test_other_matrices_are_resampled_or_left_out_as_asked(tmp_path: Path) -> None:
    """The paper left 269 files out; by default they are resampled and counted."""
    pixels = head_hu(256).astype(np.int32) + 1024
    assert read(tmp_path, pixels=pixels).corrections == ("matrix_resampled",)
    assert read(tmp_path, pixels=pixels, only_512=True).refused == "matrix_not_512"
    assert read(tmp_path, only_512=True).refused == ""


def test_the_position_is_taken_along_the_normal(tmp_path: Path) -> None:
    """A gantry tilt of 20 degrees: the position is not the z coordinate."""
    c, s = math.cos(math.radians(20)), math.sin(math.radians(20))
    record = read(
        tmp_path,
        ImageOrientationPatient=[1, 0, 0, 0, round(c, 6), round(-s, 6)],
        ImagePositionPatient=[-125, 10, 30],
    )
    assert record.order == pytest.approx(10 * s + 30 * c, abs=1e-3)
    assert record.tilt_deg == pytest.approx(20, abs=0.01)


def test_a_position_that_is_no_number_is_refused_and_none_is_unknown(tmp_path: Path) -> None:
    """Reject rather than guess; RSNA-like files without a position stay usable."""
    for broken in (b"0\\0\\nan", b"0\\0\\x", b"0\\0"):
        assert read(tmp_path, ImagePositionPatient=broken).refused == "position_not_finite"
    record = read(tmp_path, ImagePositionPatient=DROP)
    assert record.refused == ""
    assert math.isnan(record.order)


def test_missing_rescale_is_refused(tmp_path: Path) -> None:
    """Rule 2 of all adapters."""
    assert read(tmp_path, RescaleSlope=DROP).refused == "rescale_missing"
    assert read(tmp_path, RescaleIntercept=DROP).refused == "rescale_missing"


def test_keys_group_without_naming(tmp_path: Path) -> None:
    """The patient key is that of the service, and no identifier is in any key."""
    record = read(tmp_path, PatientID="SECRET7", StudyInstanceUID="1.2.77", seed=3)
    assert record.patient_key == patient_key(item_body(tmp_path))
    assert len({record.patient_key, record.study_key, record.series_key}) == 3
    assert "SECRET" not in record.patient_key + record.study_key + record.series_key


def item_body(home: Path) -> bytes:
    """The file that `read` wrote last."""
    return (home / "x.dcm").read_bytes()


def test_bytes_that_are_no_dicom_have_empty_tags(tmp_path: Path) -> None:
    """No exception, hence no text of the file in one; an invented syntax is not repeated."""
    assert read_tags(b"SECRET") == read_tags(b"")
    body = make_ct_slice(transfer_syntax="1.2.3.4.5")
    assert read_tags(body).syntax == "unregistered"
    assert read_tags(make_ct_slice()).syntax == "Explicit VR Little Endian"
