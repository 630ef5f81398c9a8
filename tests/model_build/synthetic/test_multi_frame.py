"""Phantom slices in one Enhanced CT object keep their Hounsfield units and their places."""

from __future__ import annotations

import io

import numpy as np
import pydicom

from model_build.synthetic.dicom_writer import to_bytes
from model_build.synthetic.multi_frame import ENHANCED_CT, enhanced
from service.dicom.decode import decode_frames, decode_slice
from tests.model_build.synthetic.valid_slice import valid_series


def test_frames_are_the_slices() -> None:
    """Frame k of the object is slice k of the series, to the bit."""
    bodies = valid_series()[:3]
    made = enhanced([pydicom.dcmread(io.BytesIO(body)) for body in bodies])
    assert made.SOPClassUID == ENHANCED_CT
    assert "RescaleSlope" not in made
    groups = made.PerFrameFunctionalGroupsSequence
    places = [float(item.PlanePositionSequence[0].ImagePositionPatient[2]) for item in groups]
    assert len(set(places)) == 3
    for found, body in zip(decode_frames(to_bytes(made)), bodies, strict=True):
        alone = decode_slice(body)
        assert found.violations == alone.violations
        assert found.slice_hu is not None
        assert alone.slice_hu is not None
        assert np.array_equal(found.slice_hu.voxels_hu, alone.slice_hu.voxels_hu)
        assert found.slice_hu.window == alone.slice_hu.window
