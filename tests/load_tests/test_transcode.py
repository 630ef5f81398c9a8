"""Transcoding for tests and measurements: the same slice, readable by pydicom, in every syntax."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pydicom import dcmread

from load_tests import transcode
from service.dicom.decode import decode_slice
from tests.factories import LOSSLESS, LOSSY, head_hu, make_ct_slice


@pytest.mark.parametrize("syntax", [*LOSSLESS, *LOSSY])
def test_a_transcoded_file_is_the_same_slice(syntax: str) -> None:
    """The file declares its syntax, keeps its identity, and decodes to the same HU."""
    body = transcode.transcoded(make_ct_slice(seed=3), syntax)
    assert dcmread(io.BytesIO(body), stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax
    decoded, original = decode_slice(body), decode_slice(make_ct_slice(seed=3))
    assert decoded.identity == original.identity
    assert decoded.slice_hu is not None
    error = np.abs(decoded.slice_hu.voxels_hu.astype(int) - head_hu(512, 3))
    assert error.max() == 0 if syntax in LOSSLESS else 0 < error.mean() < 16


@pytest.mark.parametrize(("syntax", "bits"), [(transcode.BASELINE, 12), (transcode.EXTENDED, 16)])
def test_bits_that_a_syntax_has_not_are_an_error(syntax: str, bits: int) -> None:
    """Nothing is cut off silently."""
    with pytest.raises(ValueError, match="bits"):
        transcode.encode(syntax, np.zeros((64, 64), np.uint16), bits)


@pytest.mark.parametrize("syntax", transcode.ENCODERS)
def test_frames_have_an_even_length(syntax: str) -> None:
    """A fragment has an even length (PS3.5 A.4)."""
    bits = 8 if syntax == transcode.BASELINE else 12
    for seed in range(3):
        values = head_hu(64, seed).astype(np.int32) + 1024 >> (12 - bits)
        assert len(transcode.encode(syntax, values.astype(np.uint16), bits)) % 2 == 0
