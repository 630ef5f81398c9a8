"""Pixels: the stored values of one frame, native or RLE, as 16-bit integers.

Native values are a view of the received bytes: nothing is copied and nothing is written back.
"""

from __future__ import annotations

import struct
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import RLELossless

from service.dicom.reader import Parsed

_RLE_HEADER = struct.Struct("<16L")
_SEGMENTS = 2  # one byte plane each for the high and the low bytes of 16 bits (PS3.5 G.2)
# What pydicom would otherwise read from a Dataset; the gate has made sure that it is so.
_RLE_OPTIONS: dict[str, Any] = {
    "number_of_frames": 1,
    "samples_per_pixel": 1,
    "photometric_interpretation": "MONOCHROME2",
    "bits_allocated": 16,
    "bits_stored": 16,
    "pixel_representation": 0,
    "pixel_keyword": "PixelData",
}


class PixelFault(Exception):
    """The compressed pixel data is damaged or does not fit rows and columns."""


def stored_values(parsed: Parsed) -> npt.NDArray[Any]:
    """Stored values (rows, columns), int16 or uint16 in the byte order of the object.

    `parsed` has passed the gate: one 16-bit sample and a native length of rows x columns x 2.

    Raises:
        PixelFault: the RLE stream is damaged.
    """
    header = parsed.header
    rows, columns = header.word("Rows") or 0, header.word("Columns") or 0
    kind = "i2" if header.word("PixelRepresentation") else "u2"
    if parsed.pixels is not None:
        dtype = np.dtype(("<" if header.little else ">") + kind)
        flat = np.frombuffer(header.data, dtype, rows * columns, parsed.pixels.start)
        return flat.reshape(rows, columns)
    return _decode_rle(parsed, rows, columns).view("<" + kind)


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


def _decode_rle(parsed: Parsed, rows: int, columns: int) -> npt.NDArray[np.uint16]:
    """Decode one RLE frame with pydicom's own decoder to little endian uint16."""
    frame = _checked_frame(parsed, rows, columns)
    options: dict[str, Any] = _RLE_OPTIONS | {"rows": rows, "columns": columns}
    # Segments may be padded by a byte, which pydicom reports as a warning.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            values, _ = get_decoder(RLELossless).as_array(
                encapsulate([frame]),
                index=0,
                raw=True,
                decoding_plugin="pydicom",
                **options,
            )
        except (ValueError, RuntimeError, NotImplementedError, AttributeError) as error:
            raise PixelFault from error
    return np.ascontiguousarray(values, dtype="<u2").reshape(rows, columns)
