"""The header of JPEG and JPEG-LS frames: what is read, and everything that is refused unread."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest

from load_tests import transcode
from service.dicom.codecs.codestream import Codestream, CodestreamFault
from service.dicom.codecs.jpeg import DCT, LOSSLESS, LS, Process, inspect
from tests.codestreams import COLUMNS, ROWS, changed, frame_marker, frame_of

SOS, EOI = b"\xff\xda", b"\xff\xd9"
PROCESSES = {
    transcode.BASELINE: DCT,
    transcode.EXTENDED: DCT,
    transcode.JPEG_LOSSLESS: LOSSLESS,
    transcode.JPEG_LOSSLESS_SV1: LOSSLESS,
    transcode.JPEG_LS: LS,
    transcode.JPEG_LS_NEAR: LS,
}
BITS = {transcode.BASELINE: 8, transcode.JPEG_LS: 16, transcode.JPEG_LS_NEAR: 16}
LOSSY = (transcode.BASELINE, transcode.EXTENDED, transcode.JPEG_LS_NEAR)


def segment(marker: int, parameters: bytes) -> bytes:
    """A marker segment with its true length."""
    return struct.pack(">HH", marker, len(parameters) + 2) + parameters


def before(frame: bytes, marker: bytes, addition: bytes) -> bytes:
    """The frame with something put in front of a segment."""
    at = frame.index(marker)
    return frame[:at] + addition + frame[at:]


@pytest.mark.parametrize("syntax", PROCESSES)
def test_what_the_header_says(syntax: str) -> None:
    """Size, bits and lossiness of a valid frame; JPEG has no sign."""
    found = inspect(frame_of(syntax), PROCESSES[syntax])
    bits = BITS.get(syntax, 12)
    assert found == Codestream(ROWS, COLUMNS, bits, None, lossy=syntax in LOSSY)


@pytest.mark.parametrize("syntax", PROCESSES)
@pytest.mark.parametrize("process", [DCT, LOSSLESS, LS], ids=["DCT", "lossless", "LS"])
def test_another_process_is_refused(syntax: str, process: Process) -> None:
    """A frame passes as its own process and as no other."""
    if PROCESSES[syntax] is not process:
        with pytest.raises(CodestreamFault):
            inspect(frame_of(syntax), process)


@pytest.mark.parametrize("syntax", PROCESSES)
def test_every_cut_is_noticed(syntax: str) -> None:
    """A frame that ends anywhere before its end is refused."""
    frame = frame_of(syntax).rstrip(b"\0")
    for length in {*range(min(300, len(frame))), *range(300, len(frame), 97), len(frame) - 1}:
        with pytest.raises(CodestreamFault):
            inspect(frame[:length], PROCESSES[syntax])


def test_a_cut_with_an_end_put_behind_it() -> None:
    """Lossless JPEG needs a bit a pixel: a stump cannot hold the picture."""
    frame = frame_of(transcode.JPEG_LOSSLESS)
    stump = frame[: frame.index(SOS) + 10 + ROWS * COLUMNS // 8 - 1]
    with pytest.raises(CodestreamFault):
        inspect(stump.rstrip(b"\xff") + EOI, LOSSLESS)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no start": lambda f: f[2:],
    "bytes in front": lambda f: b"\0\0" + f,
    "bytes behind": lambda f: f + b"\x01",
    "a second image": lambda f: f + f,
    "two frame headers": lambda f: before(f, SOS, segment(0xFFC3, b"\x0c\0\x40\0\x60\1\1\x11\0")),
    "no frame header": lambda f: f.replace(f[: f.index(SOS)], b"\xff\xd8"),
    "a longer frame header": lambda f: changed(f, frame_marker(f), -2, b"\0\x0e"),
    "a segment past the end": lambda f: changed(f, frame_marker(f), -2, b"\xff\xff"),
    "a segment of no length": lambda f: changed(f, frame_marker(f), -2, b"\0\0"),
    "lines to be defined later": lambda f: changed(f, frame_marker(f), 1, b"\0\0"),
    "no columns": lambda f: changed(f, frame_marker(f), 3, b"\0\0"),
    "two components": lambda f: changed(f, frame_marker(f), 5, b"\2"),
    "no component": lambda f: changed(f, frame_marker(f), 5, b"\0"),
    "subsampling": lambda f: changed(f, frame_marker(f), 7, b"\x22"),
    "7 bits": lambda f: changed(f, frame_marker(f), 0, b"\7"),
    "17 bits": lambda f: changed(f, frame_marker(f), 0, b"\x11"),
    "arithmetic coding": lambda f: before(f, SOS, segment(0xFFCC, b"\0\0")),
    "an expansion": lambda f: before(f, SOS, segment(0xFFDF, b"\x11")),
    "thousands of comments": lambda f: before(f, SOS, segment(0xFFFE, b"") * 3000),
    "endless fill bytes": lambda f: before(f, SOS, b"\xff" * 3000),
    "scan of two components": lambda f: changed(f, SOS, 0, b"\2"),
    "scan of another component": lambda f: changed(f, SOS, 1, b"\x09"),
    "a longer scan header": lambda f: changed(f, SOS, -2, b"\0\x0a"),
    "a second scan": lambda f: f[: f.index(EOI)] + f[f.index(SOS) :],
    "tables behind the scan": lambda f: f[: f.rindex(EOI)] + segment(0xFFC4, b"\0") + EOI,
    "lines defined later": lambda f: f[: f.rindex(EOI)] + segment(0xFFDC, b"\0\x40") + EOI,
}


@pytest.mark.parametrize("syntax", PROCESSES)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changed_frames_are_refused(syntax: str, change: Callable[[bytes], bytes]) -> None:
    """Whatever contradicts one frame of one component in one scan."""
    with pytest.raises(CodestreamFault):
        inspect(change(frame_of(syntax).rstrip(b"\0")), PROCESSES[syntax])


@pytest.mark.parametrize("kind", [0, 2, 3, 4, 255])
def test_extensions_of_jpeg_ls_are_refused(kind: int) -> None:
    """Mapping tables change values and oversize headers the size: only presets pass."""
    frame = frame_of(transcode.JPEG_LS)
    with pytest.raises(CodestreamFault):
        inspect(before(frame, SOS, segment(0xFFF8, bytes([kind]) + bytes(10))), LS)


@pytest.mark.parametrize(
    ("syntax", "offset", "value"),
    [
        (transcode.JPEG_LOSSLESS, 3, b"\0"),  # no predictor: only for differential frames
        (transcode.JPEG_LOSSLESS, 3, b"\x08"),
        (transcode.JPEG_LOSSLESS, 5, b"\x10"),
        (transcode.JPEG_LS, 4, b"\1"),  # interleaved lines
        (transcode.JPEG_LS, 5, b"\1"),  # point transform
    ],
)
def test_odd_scan_parameters_are_refused(syntax: str, offset: int, value: bytes) -> None:
    """Predictors, interleaving and transforms that one component has no use for."""
    with pytest.raises(CodestreamFault):
        inspect(changed(frame_of(syntax), SOS, offset, value), PROCESSES[syntax])


def test_a_point_transform_is_lossy() -> None:
    """Low bits that lossless JPEG shifts away are lost (T.81 H.1.2.1)."""
    frame = changed(frame_of(transcode.JPEG_LOSSLESS), SOS, 5, b"\1")
    assert inspect(frame, LOSSLESS).lossy


def test_restart_markers_and_comments_pass() -> None:
    """What real encoders put into a frame is stepped over."""
    frame = before(frame_of(transcode.JPEG_LOSSLESS), SOS, segment(0xFFFE, b"made by a test"))
    frame = before(frame, SOS, segment(0xFFDD, b"\0\x10") + b"\xff\xff")
    at = frame.index(SOS) + 200
    assert inspect(frame[:at] + b"\x01\xff\xd3" + frame[at:], LOSSLESS).bits == 12


def test_four_mebibytes_of_fill_cost_no_time() -> None:
    """The search for the end is linear, whatever lies between."""
    frame = frame_of(transcode.JPEG_LOSSLESS)
    at = frame.index(SOS) + 10
    for filler in (b"\xff", b"\xff\0", b"\xff\xd0"):
        body = frame[:at] + filler * (2**21 // len(filler)) + b"\0" + frame[at:]
        start = time.perf_counter()
        assert inspect(body, LOSSLESS).rows == ROWS
        assert time.perf_counter() - start < 0.5
