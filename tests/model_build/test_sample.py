"""The sample of the repository: marked as synthetic, scored without a complaint, reproducible."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pydicom
import pytest

from model_build.sample import write_sample
from service.dicom.decode import decode_slice

SAMPLE = (Path(__file__).parents[2] / "samples" / "synthetic_slice.dcm").read_bytes()


def test_the_sample_is_marked_and_passes_the_gate_without_a_warning() -> None:
    """Nobody may take it for a patient, and a newcomer's first answer is a clean one."""
    dataset = pydicom.dcmread(io.BytesIO(SAMPLE))
    assert "SYNTHETIC" in str(dataset.PatientName)
    assert "not a patient" in dataset.ImageComments
    decoded = decode_slice(SAMPLE)
    assert decoded.slice_hu is not None
    assert decoded.violations == ()


@pytest.mark.slow
def test_the_sample_is_made_again_bit_for_bit(tmp_path: Path) -> None:
    """`make sample` writes what is committed: the generator has not drifted."""
    path = tmp_path / "sample.dcm"
    write_sample(path)
    # Not `==` on the bytes: a failure would be explained byte by byte for minutes.
    made, kept = (hashlib.sha256(data).hexdigest() for data in (path.read_bytes(), SAMPLE))
    assert made == kept
