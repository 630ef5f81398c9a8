"""RLE behind its header gate: what it accepts, and that false headers never reach the decoder."""

from __future__ import annotations

import struct
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from service.dicom import pixels
from service.dicom.decode import decode_slice
from service.dicom.limits import Caps
from service.dicom.pixels import PixelFault
from service.dicom.reader import read
from tests.factories import DROP, RLE, make_ct_slice

PLANE = 64 * 64


def rle_slice(frame: bytes, fragments: int = 1) -> bytes:
    """A 64 x 64 file of the RLE syntax whose one frame is given, as `fragments` fragments."""
    items = b"".join(
        struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value
        for value in [b"", *[frame] * fragments]
    )
    pixels = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 0xFFFFFFFF) + items
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    header = make_ct_slice(PixelData=DROP, Rows=64, Columns=64)
    return header.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0") + pixels + end


def frame_of(
    high: bytes,
    low: bytes,
    *,
    count: int = 2,
    first: int = 64,
    second: int | None = None,
    third: int = 0,
) -> bytes:
    """An RLE frame with a header that may lie."""
    at = 64 + len(high) if second is None else second
    return struct.pack("<16L", count, first, at, third, *[0] * 12) + high + low


def run(value: int, count: int) -> bytes:
    """`count` bytes of one value as replicate runs (PS3.5 G.3.1)."""
    return struct.pack("bB", -127, value) * (count // 128)


def stored_values(body: bytes) -> npt.NDArray[Any]:
    """The stored values of a file."""
    caps = Caps()
    values, notes = pixels.stored_values(read(body, caps), caps)
    assert notes == []
    return values


def codes(body: bytes) -> list[str]:
    """Codes of the violations that block or concern the pixels."""
    return [item.code for item in decode_slice(body).violations if item.code.startswith("pixel_")]


def test_a_hand_made_frame_decodes() -> None:
    """High bytes 4 and low bytes 40 make every stored value 4 x 256 + 40 = 1064."""
    values = stored_values(rle_slice(frame_of(run(4, PLANE), run(40, PLANE))))
    assert values.shape == (64, 64)
    assert np.unique(values).tolist() == [1064]


@pytest.mark.parametrize(
    "frame",
    [
        frame_of(run(4, PLANE), run(40, PLANE), count=1),
        frame_of(run(4, PLANE), run(40, PLANE), count=15),
        frame_of(run(4, PLANE), run(40, PLANE), second=64),
        frame_of(run(4, PLANE), run(40, PLANE), second=4_000_000_000),
        frame_of(run(4, PLANE), run(40, PLANE // 2)),
        frame_of(run(4, PLANE), b""),
        frame_of(run(4, PLANE + 128), run(40, PLANE), first=66),
        frame_of(run(4, PLANE), run(40, PLANE), third=70),
        bytes(64),
        b"short",
        frame_of(bytes(9000), bytes(9000)),
    ],
    ids=[
        "one segment",
        "fifteen segments",
        "segments overlap",
        "segment outside",
        "segment too short",
        "segment empty",
        "gap in front",
        "unused offset set",
        "header only",
        "header cut",
        "longer than native",
    ],
)
def test_false_frames_are_refused(frame: bytes) -> None:
    """Every header or segment that does not fit rows and columns is `pixel_corrupt`."""
    padded = frame + b"\0" * (len(frame) % 2)
    with pytest.raises(PixelFault):
        stored_values(rle_slice(padded))
    assert codes(rle_slice(padded))[0] == "pixel_corrupt"


def test_one_frame_is_one_fragment() -> None:
    """Two fragments for one RLE frame are refused (PS3.5 A.4.2)."""
    frame = frame_of(run(4, PLANE), run(40, PLANE))
    assert "pixel_corrupt" in codes(rle_slice(frame, fragments=2))


def test_no_fragment_is_a_length_fault() -> None:
    """Encapsulated pixel data without any fragment is missing pixel data."""
    assert codes(rle_slice(b"", fragments=0)) == ["pixel_length"]


def test_expanding_runs_stay_cheap() -> None:
    """The most expanding stream that the gate lets pass costs well below the decode limit."""
    bomb = frame_of(run(4, PLANE * 30), run(40, PLANE * 30))
    start = time.perf_counter()
    decode_slice(rle_slice(bomb))
    assert time.perf_counter() - start < 0.2


def test_a_padded_segment_decodes() -> None:
    """A zero byte behind each segment, which makes its length even, is no value (PS3.5 G.3.1)."""
    frame = frame_of(run(4, PLANE) + b"\0", run(40, PLANE) + b"\0")
    assert np.unique(stored_values(rle_slice(frame))).tolist() == [1064]


def test_native_values_are_a_view() -> None:
    """Native pixels are not copied and cannot be written to."""
    values = stored_values(make_ct_slice())
    assert not values.flags.owndata
    assert not values.flags.writeable


def test_compressed_for_real_equals_native() -> None:
    """The RLE encoder of pydicom and the native bytes give the same stored values."""
    native = stored_values(make_ct_slice(seed=5))
    packed = stored_values(make_ct_slice(seed=5, transfer_syntax=RLE))
    assert np.array_equal(native, packed)
