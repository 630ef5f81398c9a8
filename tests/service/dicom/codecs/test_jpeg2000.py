"""The header of JPEG 2000 and HTJ2K frames: what is read, and everything refused unread."""

from __future__ import annotations

import struct
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest

from load_tests import transcode
from service.dicom.codecs.codestream import Codestream, CodestreamFault
from service.dicom.codecs.jpeg2000 import inspect
from tests.codestreams import COLUMNS, HT_FAMILY, J2K_FAMILY, ROWS, changed, frame_of, values_of

SIZ, COD, QCD, SOT, CAP = (bytes([0xFF, code]) for code in (0x51, 0x52, 0x5C, 0x90, 0x50))
EOC = b"\xff\xd9"
SYNTAXES = (*J2K_FAMILY, *HT_FAMILY)


def is_ht(syntax: str) -> bool:
    """Whether the syntax promises HTJ2K."""
    return syntax in HT_FAMILY


def long(value: int) -> bytes:
    """32 bits, big endian."""
    return struct.pack(">L", value)


def before(frame: bytes, marker: bytes, code: int, parameters: bytes = b"\0\0\0\0") -> bytes:
    """The frame with a segment put in front of another one."""
    at = frame.index(marker)
    return frame[:at] + struct.pack(">HH", code, len(parameters) + 2) + parameters + frame[at:]


def without(frame: bytes, marker: bytes) -> bytes:
    """The frame without one segment of its header."""
    at = frame.index(marker)
    return frame[:at] + frame[at + 2 + int.from_bytes(frame[at + 2 : at + 4], "big") :]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_the_header_says(syntax: str) -> None:
    """Size, bits, sign and lossiness of a valid frame."""
    bits = 16 if is_ht(syntax) else 12
    lossy = syntax in (transcode.JPEG_2000, transcode.HTJ2K)
    found = inspect(frame_of(syntax), high_throughput=is_ht(syntax))
    assert found == Codestream(ROWS, COLUMNS, bits, signed=False, lossy=lossy)


@pytest.mark.parametrize("syntax", [transcode.JPEG_2000_LOSSLESS, transcode.HTJ2K_LOSSLESS])
def test_the_sign_is_read(syntax: str) -> None:
    """Signed samples are announced by the highest bit of their depth."""
    frame = transcode.encode(syntax, values_of(16, signed=True), 16)
    assert inspect(frame, high_throughput=is_ht(syntax)).signed is True


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_other_kind_is_refused(syntax: str) -> None:
    """HTJ2K is not JPEG 2000 and the reverse: another decoder would be started."""
    with pytest.raises(CodestreamFault):
        inspect(frame_of(syntax), high_throughput=not is_ht(syntax))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_cut_is_noticed(syntax: str) -> None:
    """A frame that ends anywhere before its end is refused."""
    frame = frame_of(syntax).rstrip(b"\0")
    for length in {*range(min(300, len(frame))), *range(300, len(frame), 97), len(frame) - 1}:
        with pytest.raises(CodestreamFault):
            inspect(frame[:length], high_throughput=is_ht(syntax))


def test_tiles_with_their_lengths_pass() -> None:
    """Four tiles, tile-part lengths in front: what an archive's encoder writes."""
    frame = bytes(imagecodecs.htj2k_encode(np.zeros((64, 64), np.uint16), tile=(32, 32), tlm=True))
    assert inspect(frame, high_throughput=True).rows == 64


def test_an_open_last_tile_part_passes() -> None:
    """A length of 0 means that the last tile-part ends where the image does (T.800 A.4.2)."""
    for syntax in (transcode.JPEG_2000_LOSSLESS, transcode.HTJ2K_LOSSLESS):
        frame = changed(frame_of(syntax), SOT, 2, long(0))
        assert inspect(frame, high_throughput=is_ht(syntax)).rows == ROWS


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "boxes of a JP2 file": lambda f: b"\0\0\0\x0cjP  \r\n\x87\n" + f,
    "bytes behind": lambda f: f + b"\x01",
    "no size": lambda f: without(f, SIZ),
    "no coding style": lambda f: without(f, COD),
    "two coding styles": lambda f: f[: f.index(QCD)] + f[f.index(COD) :],
    "no quantisation": lambda f: without(f, QCD),
    "an empty quantisation": lambda f: before(without(f, QCD), SOT, 0xFF5C, b""),
    "quantised although reversible": lambda f: changed(f, QCD, 0, bytes([f[f.index(QCD) + 4] ^ 2])),
    "a step size too few": lambda f: changed(f, QCD, -2, bytes([0, f[f.index(QCD) + 3] - 1])),
    "32 bit-planes": lambda f: changed(f, QCD, 1, b"\xff"),
    "29 bit-planes": lambda f: changed(
        f, QCD, 0, bytes([f[f.index(QCD) + 4] & 0x1F | 0x20]) + b"\xe8"
    ),
    "no width": lambda f: changed(f, SIZ, 2, long(0)),
    "an image offset": lambda f: changed(f, SIZ, 10, long(1)),
    "an image offset of 4 GiB": lambda f: changed(f, SIZ, 10, long(0xFFFFFFFF)),
    "no tile width": lambda f: changed(f, SIZ, 18, long(0)),
    "tiles of one pixel": lambda f: changed(f, SIZ, 18, long(1) + long(1)),
    "a tile offset": lambda f: changed(f, SIZ, 26, long(1)),
    "no component": lambda f: changed(f, SIZ, 34, b"\0\0"),
    "two components": lambda f: changed(f, SIZ, 34, b"\0\2"),
    "16,384 components": lambda f: changed(f, SIZ, 34, b"\x40\0"),
    "7 bits": lambda f: changed(f, SIZ, 36, b"\6"),
    "17 bits": lambda f: changed(f, SIZ, 36, b"\x10"),
    "38 bits": lambda f: changed(f, SIZ, 36, b"\x25"),
    "subsampling": lambda f: changed(f, SIZ, 37, b"\2"),
    "no distance of samples": lambda f: changed(f, SIZ, 38, b"\0"),
    "an unknown progression": lambda f: changed(f, COD, 1, b"\5"),
    "no layer": lambda f: changed(f, COD, 2, b"\0\0"),
    "65,535 layers": lambda f: changed(f, COD, 2, b"\xff\xff"),
    "a colour transform of no kind": lambda f: changed(f, COD, 4, b"\2"),
    "33 levels": lambda f: changed(f, COD, 5, b"\x21"),
    "code-blocks over 4096": lambda f: changed(f, COD, 6, b"\5\5"),
    "code-blocks without end": lambda f: changed(f, COD, 6, b"\xff\xff"),
    "mixed code-blocks": lambda f: changed(f, COD, 8, bytes([f[f.index(COD) + 12] | 0x80])),
    "a wavelet of no kind": lambda f: changed(f, COD, 9, b"\2"),
    "precincts announced, not there": lambda f: changed(
        f, COD, 0, b"\1" if f[f.index(COD) + 4] == 0 else b"\0"
    ),
    "a style of one component": lambda f: before(f, QCD, 0xFF53),
    "a quantisation of one component": lambda f: before(f, SOT, 0xFF5D),
    "a region of interest": lambda f: before(f, SOT, 0xFF5E),
    "a change of progression": lambda f: before(f, SOT, 0xFF5F),
    "packed packet headers": lambda f: before(f, SOT, 0xFF60),
    "thousands of comments": lambda f: f.replace(SOT, b"\xff\x64\0\2" * 3000 + SOT, 1),
    "a tile that is not there": lambda f: changed(f, SOT, 0, b"\0\1"),
    "a tile-part past the end": lambda f: changed(f, SOT, 2, long(0xFFFFFFFF)),
    "a tile-part of no length": lambda f: changed(f, SOT, 2, long(1)),
    "a tile-part that is too short": lambda f: changed(f, SOT, 2, long(40)),
    "a style inside a tile": lambda f: before(f, b"\xff\x93", 0xFF52, bytes(10)),
    "no tile-part": lambda f: f[: f.index(SOT)] + EOC,
}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changed_frames_are_refused(syntax: str, change: Callable[[bytes], bytes]) -> None:
    """Whatever contradicts one component without offsets, or is over a bound."""
    with pytest.raises(CodestreamFault):
        inspect(change(frame_of(syntax).rstrip(b"\0")), high_throughput=is_ht(syntax))


def test_tiny_precincts_are_refused() -> None:
    """Precincts of one pixel make millions of packets out of nothing."""
    frame = frame_of(transcode.JPEG_2000)
    assert frame[frame.index(COD) + 4] & 1
    with pytest.raises(CodestreamFault):
        inspect(changed(frame, COD, 10, b"\0\0"), high_throughput=False)


def test_htj2k_must_say_so() -> None:
    """The capability segment of T.814 is what tells the kinds apart."""
    frame = frame_of(transcode.HTJ2K_LOSSLESS)
    with pytest.raises(CodestreamFault):
        inspect(without(frame, CAP), high_throughput=True)
    with pytest.raises(CodestreamFault):
        inspect(changed(frame, CAP, 0, long(0)), high_throughput=True)
