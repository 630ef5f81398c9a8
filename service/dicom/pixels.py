"""Pixels: the stored values of one frame, native or compressed, as 16-bit integers.

native -> view of the received bytes
RLE ----> header gate -> native decoder, bounded by rows x columns
codecs -> fragments joined -> header gate -> compared with the DICOM header -> native decoder

Nothing is written back, and native code runs only on a frame that says what the header says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.dicom.codecs.codestream import Codestream, CodestreamFault
from service.dicom.codecs.registry import Codec, decode_rle
from service.dicom.limits import Caps
from service.dicom.reader import Parsed
from service.dicom.violations import LOSSY_COMPRESSION
from service.types import Violation

Values = npt.NDArray[Any]

_RLE_HEADER = struct.Struct("<16L")
_SEGMENTS = 2  # one byte plane each for the high and the low bytes of 16 bits (PS3.5 G.2)


@dataclass(frozen=True, slots=True)
class _Frame:
    """A compressed frame whose header agrees with that of the object."""

    codec: Codec
    data: bytes
    stream: Codestream


class PixelFault(Exception):
    """The compressed pixel data is damaged or does not fit its header."""


class LossyRefused(Exception):
    """The pixels were lossily compressed, and the settings refuse such objects."""


def stored_values(parsed: Parsed, caps: Caps) -> tuple[Values, list[Violation]]:
    """Read the stored values of one frame.

    `parsed` has passed the gate: one 16-bit sample and a native length of rows x columns x 2.

    Returns:
        Stored values (rows, columns), int16 or uint16 in the byte order of the object, and
        `lossy_compression` where they are not the values that were scanned. Their sign is that of
        PixelRepresentation, unless a JPEG 2000 codestream says otherwise: `to_hu` resolves that.

    Raises:
        PixelFault: the compressed frame is damaged, or says something else than the header.
        LossyRefused: the values are lossy and `caps` refuses that.
    """
    try:
        frame = _open(parsed)
        found = _lossy(parsed, frame, caps)
        return _plain(parsed) if frame is None else _decode(parsed, frame), found
    except CodestreamFault as error:
        raise PixelFault from error


def _lossy(parsed: Parsed, frame: _Frame | None, caps: Caps) -> list[Violation]:
    """`lossy_compression` where the codestream shows it or the header admits it."""
    # What was lossy once stays so in every later syntax (PS3.3 C.7.6.1.1.5).
    declared = parsed.header.text("LossyImageCompression") == "01"
    if not declared and not (frame and frame.stream.lossy):
        return []
    if caps.thresholds.lossy == "refuse":
        raise LossyRefused
    return [LOSSY_COMPRESSION]


def _shape(parsed: Parsed) -> tuple[int, int]:
    return parsed.header.word("Rows") or 0, parsed.header.word("Columns") or 0


def _plain(parsed: Parsed) -> Values:
    """Native or RLE values; a view of the received bytes where they are native."""
    header, (rows, columns) = parsed.header, _shape(parsed)
    kind = "i2" if header.word("PixelRepresentation") else "u2"
    if parsed.pixels is None:
        frame = _checked_frame(parsed, rows, columns)
        return decode_rle(frame, rows * columns * 2).view("<" + kind).reshape(rows, columns)
    dtype = np.dtype(("<" if header.little else ">") + kind)
    flat = np.frombuffer(header.data, dtype, rows * columns, parsed.pixels.start)
    return flat.reshape(rows, columns)


def _open(parsed: Parsed) -> _Frame | None:
    """Join the fragments of a frame (PS3.5 A.4) and compare it with the header; None if no codec.

    A codestream may have room for more bits than are stored, never for fewer: where the sign bit
    would lie is not defined then.
    """
    if parsed.syntax is None or parsed.syntax.codec is None:
        return None
    codec, data = parsed.syntax.codec, parsed.header.data
    joined = b"".join(data[part.start : part.start + part.length] for part in parsed.fragments)
    stream = codec.inspect(joined)
    if (stream.rows, stream.columns) != _shape(parsed):
        raise CodestreamFault
    if stream.bits < (parsed.header.word("BitsStored") or 0):
        raise CodestreamFault
    return _Frame(codec, joined, stream)


def _decode(parsed: Parsed, frame: _Frame) -> Values:
    """Run the native decoder, and give its samples 16 bits and a sign."""
    stream = frame.stream
    samples = frame.codec.decode(frame.data, stream.rows, stream.columns)
    if stream.signed is None and parsed.header.word("PixelRepresentation"):
        values: Values = _with_sign(samples, stream.bits)
    else:
        values = samples.astype("<i2" if stream.signed else "<u2", copy=False)
    return _within(values, parsed.header.word("BitsStored") or 16) if stream.lossy else values


def _within(values: Values, bits: int) -> Values:
    """Lossy values that overshoot the stored bits, held at their ends.

    `to_hu` takes what lies above these bits for overlays and would cut it off: 4097 became 1.
    """
    is_signed = values.dtype.kind == "i"
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if is_signed else (0, (1 << bits) - 1)
    return np.clip(values, low, high)


def _with_sign(samples: Values, bits: int) -> npt.NDArray[np.int16]:
    """Extend the sign of two's complement values of `bits` bits to 16.

    JPEG and JPEG-LS carry signed values as such a pattern and know of no sign (PS3.5 8.2.1).
    """
    spare = 16 - bits
    return (samples.astype("<u2") << spare).view("<i2") >> spare


def _checked_frame(parsed: Parsed, rows: int, columns: int) -> bytes:
    """The one RLE fragment of the frame, once its header cannot mislead the decoder."""
    # A frame is exactly one fragment (PS3.5 A.4.2). A run costs two bytes, so a stream longer
    # than its native frame is no compression: it only makes the decoder work and allocate.
    if len(parsed.fragments) != 1:
        raise PixelFault
    place = parsed.fragments[0]
    native = rows * columns * 2
    if not _RLE_HEADER.size < place.length <= native + native // 64 + 256:
        raise PixelFault
    frame = bytes(parsed.header.data[place.start : place.start + place.length])
    count, first, second, *unused = _RLE_HEADER.unpack_from(frame)
    if count != _SEGMENTS or any(unused) or not 64 == first < second < place.length:
        raise PixelFault
    return frame
