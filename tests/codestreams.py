"""Codestreams: valid frames of every compressed syntax, frames with a change, and files of both."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from load_tests import transcode
from tests.factories import DROP, make_ct_slice

ROWS, COLUMNS = 64, 96  # not square, so that a transposed frame does not fit
BITS = {transcode.BASELINE: 8, transcode.EXTENDED: 12}
JPEG_FAMILY = (
    *(transcode.BASELINE, transcode.EXTENDED),
    *(transcode.JPEG_LOSSLESS, transcode.JPEG_LOSSLESS_SV1),
)
LS_FAMILY = (transcode.JPEG_LS, transcode.JPEG_LS_NEAR)
J2K_FAMILY = (transcode.JPEG_2000_LOSSLESS, transcode.JPEG_2000)
HT_FAMILY = (transcode.HTJ2K_LOSSLESS, transcode.HTJ2K_RPCL, transcode.HTJ2K)
FAMILIES = (JPEG_FAMILY[:2], JPEG_FAMILY[2:], LS_FAMILY, J2K_FAMILY, HT_FAMILY)
_SOC, SIZ = b"\xff\x4f", b"\xff\x51"
_FRAMES = frozenset((b"\xff\xc0", b"\xff\xc1", b"\xff\xc3", b"\xff\xf7"))


@lru_cache(maxsize=16)
def values_of(bits: int = 12, *, signed: bool = False) -> npt.NDArray[Any]:
    """A smooth slope with noise that uses the whole range, (64, 96), int16 or uint16."""
    rng = np.random.default_rng(bits)
    top = (1 << bits) - 1
    slope = np.linspace(0, top, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    values = (slope + rng.integers(-3, 4, slope.shape)).clip(0, top).round().astype(np.int32)
    return (values - (1 << (bits - 1))).astype(np.int16) if signed else values.astype(np.uint16)


@lru_cache(maxsize=32)
def frame_of(syntax: str) -> bytes:
    """A valid frame of that syntax with as many bits as it likes, at most 12."""
    bits = BITS.get(syntax, 12)
    return transcode.encode(syntax, values_of(bits), bits)


def layout(bits: int, *, signed: bool = False) -> dict[str, Any]:
    """The elements that describe such pixels."""
    stored = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": int(signed)}
    return {"Rows": ROWS, "Columns": COLUMNS, **stored}


def file_of(syntax: str, *fragments: bytes, **fields: Any) -> bytes:
    """A file of that syntax with these fragments as its pixels."""
    described = layout(BITS.get(syntax, 12)) | fields
    header = make_ct_slice(transfer_syntax=syntax, PixelData=DROP, **described)
    items = [struct.pack("<HHL", 0xFFFE, 0xE000, len(part)) + part for part in (b"", *fragments)]
    start = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    return header + start + b"".join(items) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def changed(frame: bytes, marker: bytes, offset: int, value: bytes) -> bytes:
    """The frame with the parameters of its first such segment overwritten at an offset."""
    at = frame.index(marker) + 4 + offset
    return frame[:at] + value + frame[at + len(value) :]


def frame_marker(frame: bytes) -> bytes:
    """The marker of the segment that holds the size."""
    if frame.startswith(_SOC):
        return SIZ
    return min(_FRAMES.intersection(frame[at : at + 2] for at in range(700)), key=frame.index)


def resized(frame: bytes, rows: int, columns: int) -> bytes:
    """The frame with another size in its header."""
    marker = frame_marker(frame)
    if marker == SIZ:
        size = struct.pack(">LL", columns, rows)
        return changed(changed(frame, marker, 2, size), marker, 18, size)
    return changed(frame, marker, 1, struct.pack(">HH", rows, columns))


def with_precision(frame: bytes, bits: int) -> bytes:
    """The frame with another precision in its header."""
    marker = frame_marker(frame)
    if marker == SIZ:
        return changed(frame, marker, 36, bytes([bits - 1]))
    return changed(frame, marker, 0, bytes([bits]))


def with_components(frame: bytes, count: int) -> bytes:
    """The frame with another number of components in its header, and parameters for each."""
    marker = frame_marker(frame)
    if marker == SIZ:
        at = frame.index(marker) + 4 + 34
        each = frame[at + 2 : at + 5]
        longer = frame[:at] + struct.pack(">H", count) + each * count + frame[at + 5 :]
    else:
        at = frame.index(marker) + 4 + 5
        each = b"".join(bytes([number + 1, 0x11, 0]) for number in range(count))
        longer = frame[:at] + bytes([count]) + each + frame[at + 4 :]
    length = int.from_bytes(frame[frame.index(marker) + 2 :][:2], "big") + 3 * (count - 1)
    return changed(longer, marker, -2, struct.pack(">H", length))
