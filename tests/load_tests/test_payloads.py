"""Payloads: what is sent is valid, all different, and the same on every run."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from load_tests.payloads import NOISE, SAMPLE, folder_series, payloads, synthetic_series
from load_tests.target import LoadTestError
from tests.factories import make_ct_slice


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A sample slice of our own, so that the test does not depend on the shipped one."""
    path = tmp_path / "sample.dcm"
    path.write_bytes(make_ct_slice())
    return path


def test_variants_differ_only_a_little(sample: Path) -> None:
    """Three variants: own UIDs and numbers, pixels within the noise of the sample's."""
    original = dcmread(sample).pixel_array.astype(int)
    series = [dcmread(io.BytesIO(body)) for body in synthetic_series(sample, 3)]
    assert len({one.SOPInstanceUID for one in series}) == 3
    assert [one.InstanceNumber for one in series] == [1, 2, 3]
    for one in series:
        difference = np.abs(one.pixel_array.astype(int) - original)
        assert 0 < difference.max() <= NOISE
    assert not np.array_equal(series[0].pixel_array, series[1].pixel_array)


def test_variants_are_the_same_on_every_run(sample: Path) -> None:
    """Bit for bit: two runs send the same bytes."""
    first = synthetic_series(sample, 2)
    synthetic_series.cache_clear()
    assert synthetic_series(sample, 2) == first


def test_shipped_sample_makes_a_series() -> None:
    """The default payload is a series of 28 DICOM files made from the shipped sample."""
    assert SAMPLE.is_file()
    series = payloads({})
    assert len(series) == 28
    assert all(body[128:132] == b"DICM" for body in series)
    syntax = dcmread(io.BytesIO(series[0])).file_meta.TransferSyntaxUID
    assert syntax == ExplicitVRLittleEndian  # as a gateway sends it, whatever the sample is


def test_folder_is_read_by_name_and_other_files_are_left_out(tmp_path: Path) -> None:
    """Two slices and a text file: two payloads in the order of the names."""
    second, first = make_ct_slice(seed=1), make_ct_slice(seed=0)
    (tmp_path / "b.dcm").write_bytes(second)
    (tmp_path / "a.dcm").write_bytes(first)
    (tmp_path / "LICENSE").write_text("text")
    assert payloads({"LOAD_TEST_DICOM": str(tmp_path)}) == (first, second)


def test_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    """A run without payloads would measure nothing."""
    with pytest.raises(LoadTestError, match="without DICOM"):
        folder_series(tmp_path)


def test_missing_sample_is_a_sentence(tmp_path: Path) -> None:
    """Where the sample is missing, the command that makes it is named."""
    with pytest.raises(LoadTestError, match="make sample"):
        synthetic_series(tmp_path / "nowhere.dcm")
