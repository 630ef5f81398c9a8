"""Tests of the DICOM files: written, read back strictly, compared with what went in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom import config
from pydicom.uid import UID

from model_build.synthetic.acquisition import draw_acquisition
from model_build.synthetic.dicom_writer import (
    SeriesHeader,
    Storage,
    draw_storage,
    make_uid,
    write_slice,
)
from tests.model_build.synthetic.level_head import level_geometry

_STORAGE = Storage(True, -1024, False, ("40",), ("80",))


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any invalid value is an error, on writing and on reading."""
    monkeypatch.setattr(config.settings, "_reading_validation_mode", config.RAISE)
    monkeypatch.setattr(config.settings, "_writing_validation_mode", config.RAISE)


def _header(storage: Storage = _STORAGE) -> SeriesHeader:
    geometry = level_geometry(tilt_deg=12.5)
    scan = draw_acquisition(np.random.default_rng(0), geometry)
    return SeriesHeader(0xABC, "7/3", 52, geometry, scan, storage)


def _image() -> npt.NDArray[np.int16]:
    values = np.linspace(-1024, 3071, 512 * 512).round().astype(np.int16)
    return values.reshape(512, 512)


def _written(tmp_path: Path, storage: Storage = _STORAGE, index: int = 4) -> pydicom.Dataset:
    write_slice(tmp_path / "a.dcm", _header(storage), index, _image())
    return pydicom.dcmread(tmp_path / "a.dcm")


@pytest.mark.parametrize(("signed", "intercept"), [(True, 0), (True, -1024), (False, -1024)])
def test_hu_survive_every_storage(tmp_path: Path, signed: bool, intercept: int) -> None:
    """Stored value x slope + intercept is the image, whatever the representation."""
    dataset = _written(tmp_path, replace(_STORAGE, signed=signed, intercept=intercept))
    hu = dataset.pixel_array.astype(int) * int(dataset.RescaleSlope) + intercept
    assert np.array_equal(hu, _image())
    assert dataset.RescaleIntercept == intercept
    assert dataset.PixelRepresentation == int(signed)
    assert len(dataset.PixelData) == 512 * 512 * 2


def test_unsigned_pixels_fit_twelve_bits(tmp_path: Path) -> None:
    """Unsigned data with intercept -1024 use 0..4095, so no reader sees a wraparound."""
    dataset = _written(tmp_path, replace(_STORAGE, signed=False))
    assert dataset.BitsStored == 12
    assert dataset.HighBit == 11
    assert int(dataset.pixel_array.max()) == 4095


def test_padding_lies_outside_the_circle(tmp_path: Path) -> None:
    """The corner is -1024 HU, the middle is untouched."""
    dataset = _written(tmp_path, replace(_STORAGE, circle=True))
    hu = dataset.pixel_array.astype(int) - 1024
    assert hu[511, 511] == -1024
    assert np.array_equal(hu[256], _image()[256])


def test_window_tags_are_written_as_drawn(tmp_path: Path) -> None:
    """Multi-valued windows stay multi-valued; an empty draw leaves the elements out."""
    many = _written(tmp_path, replace(_STORAGE, centers=("40", "600"), widths=("80", "2800")))
    assert [float(v) for v in many.WindowCenter] == [40.0, 600.0]
    none = _written(tmp_path, replace(_STORAGE, centers=(), widths=()))
    assert "WindowCenter" not in none
    assert "WindowWidth" not in none


def test_file_says_that_it_is_synthetic(tmp_path: Path) -> None:
    """Name, comment and manufacturer name the phantom; the object is an original axial CT."""
    dataset = _written(tmp_path)
    assert dataset.PatientName == "SYNTHETIC^PHANTOM"
    assert dataset.ImageComments == "Synthetic phantom, not a patient"
    assert dataset.Manufacturer == "ICH Serve phantom"
    assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert dataset.PatientAge == "052Y"
    assert dataset.SOPClassUID.name == "CT Image Storage"


def test_plane_of_the_file_is_the_plane_of_the_scan(tmp_path: Path) -> None:
    """Orientation, position and spacing read back as the geometry gives them."""
    dataset, geometry = _written(tmp_path, index=4), _header().geometry
    assert list(dataset.ImageOrientationPatient) == pytest.approx(geometry.orientation(), abs=1e-5)
    assert list(dataset.ImagePositionPatient) == pytest.approx(geometry.position(4), abs=1e-3)
    assert list(dataset.PixelSpacing) == [0.5, 0.5]
    assert dataset.GantryDetectorTilt == 12.5
    assert dataset.InstanceNumber == 5


def test_series_shares_its_uids_but_not_the_instance(tmp_path: Path) -> None:
    """Two slices agree in study, series and frame and differ in the instance."""
    one, two = _written(tmp_path, index=0), _written(tmp_path, index=1)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert one[keyword].value == two[keyword].value
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID


def test_uids_are_valid_and_repeatable() -> None:
    """A key always gives the same UID under 2.25, no two keys the same."""
    uids = {make_uid(f"{k}") for k in range(500)}
    assert len(uids) == 500
    assert make_uid("4") in uids
    assert all(UID(uid).is_valid and uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)


def test_drawn_storage_covers_the_variants() -> None:
    """All three storages occur, and windows are single, multiple, missing and bizarre."""
    drawn = [draw_storage(np.random.default_rng(k)) for k in range(300)]
    assert {(s.signed, s.intercept) for s in drawn} == {(True, 0), (True, -1024), (False, -1024)}
    assert {len(s.centers) for s in drawn} == {0, 1, 2}
    assert any(s.widths == ("1",) for s in drawn)
    assert all(len(s.centers) == len(s.widths) for s in drawn)
