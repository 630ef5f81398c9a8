"""The native decoders: found or missing, called in one way, their faults are ours."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from load_tests import transcode
from service.dicom.codecs import registry
from service.dicom.codecs.codestream import CodestreamFault
from service.dicom.transfer_syntax import ACCEPTED, decodable
from tests.codestreams import COLUMNS, ROWS, frame_of
from tests.factories import make_ct_slice

NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"}


@pytest.mark.parametrize("syntax", transcode.ENCODERS)
def test_noise_is_a_fault(syntax: str) -> None:
    """Bytes that are no frame at all are refused by the decoder too, not only by its gate."""
    codec = ACCEPTED[syntax].codec
    assert codec is not None
    with pytest.raises(CodestreamFault):
        codec.decode(b"\xa5\x5a" * 1000, ROWS, COLUMNS)


@pytest.mark.parametrize("syntax", transcode.ENCODERS)
def test_another_shape_than_asked_for_is_a_fault(syntax: str) -> None:
    """The result is compared once more, whatever the gate has seen."""
    codec = ACCEPTED[syntax].codec
    assert codec is not None
    assert codec.decode(frame_of(syntax), ROWS, COLUMNS).shape == (ROWS, COLUMNS)
    with pytest.raises(CodestreamFault):
        codec.decode(frame_of(syntax), COLUMNS, ROWS)


def test_an_error_in_the_middle_is_not_swallowed() -> None:
    """OpenJPH ends in the middle of a damaged picture; what it has not written is not passed on."""
    syntax = transcode.HTJ2K_LOSSLESS
    codec, frame = ACCEPTED[syntax].codec, frame_of(syntax)
    assert codec is not None
    start = frame.index(b"\xff\x93") + 2
    damaged = 0
    for at in range(start, len(frame) - 40, 97):
        mutant = frame[:at] + b"\xff" * 24 + frame[at + 24 :]
        try:
            codec.decode(mutant, ROWS, COLUMNS)
        except CodestreamFault:
            damaged += 1
    assert damaged > 0


def test_reports_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only errors of the library are taken for faults of the frame; the hook is given back."""
    seen: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: seen.append(report.object))
    mine = sys.unraisablehook
    with registry._nothing_swallowed():
        sys.unraisablehook(SimpleNamespace(object="somebody else"))
    assert seen == ["somebody else"]
    assert sys.unraisablehook is mine
    with pytest.raises(CodestreamFault), registry._nothing_swallowed():
        sys.unraisablehook(SimpleNamespace(object="imagecodecs._htj2k._copy_from_codestream"))


def test_a_missing_decoder_takes_its_syntaxes_off_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without OpenJPH there is no HTJ2K; without the library there is what needs no decoder."""
    missing = SimpleNamespace(available=False)
    here = {name: SimpleNamespace(available=True) for name in ("JPEG8", "JPEGLS", "JPEG2K")}
    monkeypatch.setattr(registry, "_library", SimpleNamespace(**here, DICOMRLE=missing))
    assert set(transcode.LOSSLESS) - set(decodable()) == {
        transcode.HTJ2K_LOSSLESS,
        transcode.HTJ2K_RPCL,
    }
    monkeypatch.setattr(registry, "_library", None)
    assert set(decodable()) == NATIVE | {"1.2.840.10008.1.2.1.99"}


def test_a_build_without_the_library_answers_415() -> None:
    """The import of the room does not need it, and a compressed slice is refused by name."""
    code = (
        "import sys; sys.modules['imagecodecs'] = None; "
        "from service.dicom.decode import decode_slice; "
        "(item,) = decode_slice(sys.stdin.buffer.read()).violations; "
        "print(item.code, item.kind, item.message)"
    )
    body = make_ct_slice(transfer_syntax=transcode.JPEG_LS)
    done = subprocess.run(
        [sys.executable, "-c", code], input=body, capture_output=True, timeout=60, check=True
    )
    assert done.stdout.startswith(b"transfer_syntax unsupported")
    assert b"JPEG-LS Lossless" in done.stdout
