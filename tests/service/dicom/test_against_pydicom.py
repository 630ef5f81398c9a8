"""Our bounded reader against pydicom's own: the same Hounsfield units, the same identity."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from service.dicom.decode import decode_slice
from service.types import Decoded
from tests.factories import SYNTAXES, head_hu, make_ct_slice

ARCHIVE = Path(__file__).parents[4] / "shared" / "data" / "real_head_ct.tar.xz"
STORAGES = {
    "unsigned, intercept -1024": (np.uint16, 0, -1024),
    "signed, intercept 0": (np.int16, 1, 0),
}


def by_pydicom(body: bytes) -> tuple[pydicom.Dataset, npt.NDArray[np.float64]]:
    """The data set and its rescaled pixels, as pydicom reads and decodes them."""
    dataset = pydicom.dcmread(io.BytesIO(body))
    slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    return dataset, dataset.pixel_array.astype(np.float64) * slope + intercept


def assert_same(found: Decoded, body: bytes, padding: int | None = None) -> None:
    """UIDs and HU are those of pydicom; values below air are what the fixes make of them."""
    dataset, expected = by_pydicom(body)
    assert found.slice_hu is not None
    identity = found.identity
    assert identity.sop_instance_uid == dataset.SOPInstanceUID
    assert identity.series_instance_uid == dataset.SeriesInstanceUID
    assert identity.study_instance_uid == dataset.StudyInstanceUID
    clipped = np.maximum(expected, -1024)
    inside = expected != padding if padding is not None else np.ones(expected.shape, bool)
    assert inside.mean() > 0.5
    np.testing.assert_array_equal(found.slice_hu.voxels_hu[inside], clipped[inside])


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("storage", STORAGES)
def test_every_syntax_and_storage_reads_as_pydicom_reads_it(syntax: str, storage: str) -> None:
    """Five transfer syntaxes, signed and unsigned."""
    dtype, representation, intercept = STORAGES[storage]
    body = make_ct_slice(
        pixels=(head_hu().astype(np.int32) - intercept).astype(dtype),
        transfer_syntax=syntax,
        PixelRepresentation=representation,
        RescaleIntercept=intercept,
        BitsStored=16,
        HighBit=15,
    )
    assert_same(decode_slice(body), body)


@pytest.mark.skipif(not ARCHIVE.is_file(), reason="needs real_head_ct.tar.xz in ../shared/data")
def test_a_real_series_reads_as_pydicom_reads_it() -> None:
    """All 28 GE slices, outside the padding that the gate turns to air."""
    with tarfile.open(ARCHIVE) as archive:
        names = [name for name in archive.getnames() if "head_ct_ge/" in name]
        streams = [archive.extractfile(name) for name in names]
        bodies = [stream.read() for stream in streams if stream is not None]
    slices = [body for body in bodies if body[128:132] == b"DICM"]
    assert len(slices) == 28
    for body in slices:
        padding = int(pydicom.dcmread(io.BytesIO(body)).PixelPaddingValue)
        assert_same(decode_slice(body), body, padding)
