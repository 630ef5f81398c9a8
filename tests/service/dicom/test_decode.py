"""The one decode function: whatever the bytes, a `Decoded` comes back and says nothing private."""

from __future__ import annotations

import random

import numpy as np
import pytest

from service.dicom import decode
from service.dicom.decode import decode_slice
from service.dicom.gate import CODES
from service.types import Action, Decoded
from tests.factories import DEFLATED, EXPLICIT, IMPLICIT, RLE, head_hu, make_ct_slice

CANARY = "CANARY^4711"
TEXT_FIELDS = ("PatientName", "PatientID", "StudyDescription", "ImageType", "PatientAge", "KVP")


def assert_sound(decoded: Decoded) -> None:
    """What every verdict keeps to: known codes, and pixels exactly when nothing blocks."""
    blocked = any(item.action in (Action.REJECT, Action.SKIP) for item in decoded.violations)
    assert blocked == (decoded.slice_hu is None)
    assert {item.code for item in decoded.violations} <= CODES - {"decoder_failed"}
    if decoded.slice_hu is not None:
        assert decoded.slice_hu.voxels_hu.shape == (512, 512)
        assert decoded.slice_hu.voxels_hu.dtype == np.int16


def test_a_valid_slice() -> None:
    """The valid slice of the factory decodes to its own HU without a violation."""
    decoded = decode_slice(make_ct_slice(seed=1))
    assert decoded.violations == ()
    assert decoded.slice_hu is not None
    assert np.array_equal(decoded.slice_hu.voxels_hu, head_hu(512, 1))
    assert decoded.slice_hu.window.center == 35.0


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, DEFLATED, RLE])
def test_mutated_headers_never_raise(syntax: str) -> None:
    """300 files with a few random bytes changed each give sound verdicts, no internal failure."""
    rng = random.Random(syntax)
    body = make_ct_slice(transfer_syntax=syntax)
    for _ in range(300):
        mutated = bytearray(body)
        for _ in range(rng.randint(1, 6)):
            mutated[rng.randrange(128, 1400)] = rng.randrange(256)
        assert_sound(decode_slice(bytes(mutated)))


def test_cut_and_spliced_files_never_raise() -> None:
    """Files cut anywhere or with a piece moved give sound verdicts."""
    rng = random.Random(7)
    body = make_ct_slice(transfer_syntax=RLE)
    for _ in range(200):
        first, second = sorted(rng.randrange(len(body)) for _ in range(2))
        assert_sound(decode_slice(body[:first]))
        assert_sound(decode_slice(body[:first] + body[second:]))


def test_random_bytes_never_raise() -> None:
    """Noise, with and without the DICOM prefix, is refused."""
    rng = random.Random(11)
    for size in (0, 1, 8, 131, 132, 133, 140, 500, 5000):
        noise = rng.randbytes(size)
        for body in (noise, bytes(128) + b"DICM" + noise, b"\x08\x00" + noise):
            decoded = decode_slice(body)
            assert_sound(decoded)
            assert decoded.slice_hu is None


def test_an_unforeseen_error_is_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug inside, here a RecursionError, becomes `decoder_failed` without its text."""

    def fail(*_: object) -> None:
        raise RecursionError(CANARY)

    monkeypatch.setattr(decode, "read", fail)
    (item,) = decode_slice(make_ct_slice()).violations
    assert item.code == "decoder_failed"
    assert CANARY not in repr(item)


@pytest.mark.parametrize("keyword", TEXT_FIELDS)
def test_text_never_comes_out(
    keyword: str, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """A canary in a text element is in no verdict, no log record and no warning."""
    body = make_ct_slice(**{keyword: CANARY.encode()})
    caplog.clear()
    recwarn.clear()
    decoded = decode_slice(body)
    assert CANARY not in repr(decoded.violations) + repr(decoded.identity)
    assert caplog.records == []
    assert len(recwarn) == 0
