"""Every cap at its border: what just fits is read, and one less room refuses it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import pytest
from pydicom.dataset import Dataset

from load_tests import transcode
from service.dicom.decode import decode_frames
from service.dicom.limits import Caps
from service.types import Kind
from service.verdicts import blocking
from tests.codestreams import file_of
from tests.enhanced_ct import make_enhanced
from tests.factories import DEFLATED, head_hu, make_ct_slice

FRAMES = 3


@dataclass(frozen=True, slots=True)
class Border:
    """An object, and the value of a cap that it just keeps to.

    Attributes:
        cap: the field of `Caps`.
        body: the object.
        fits: the tightest value with which the object is read.
        code: why it is refused beyond that.
        kind: what that means for a client.
        step: from the tightest value to the first that refuses; +1 for a least value.
    """

    cap: str
    body: Callable[[], bytes]
    fits: Callable[[bytes], int]
    code: str
    kind: Kind = Kind.TOO_LARGE
    step: int = -1


def _always(value: int) -> Callable[[bytes], int]:
    return lambda _: value


def _inflated(body: bytes) -> int:
    """Bytes of the data set of a deflated file, behind its file meta group."""
    start = 144 + int.from_bytes(body[140:144], "little")
    return len(zlib.decompressobj(wbits=-15).decompress(body[start:]))


def _header_bytes(body: bytes) -> int:
    """From the first element of the data set to the value of the pixels."""
    start = 144 + int.from_bytes(body[140:144], "little")
    return body.index(b"\xe0\x7f\x10\x00OW") + 12 - start


def _elements(body: bytes) -> int:
    """Elements of a data set of short and long explicit elements without sequences."""
    offset, count = 144 + int.from_bytes(body[140:144], "little"), 0
    while offset < len(body):
        is_long = body[offset + 4 : offset + 6] in (b"OW", b"SQ")
        length = struct.unpack_from("<L" if is_long else "<H", body, offset + (8, 6)[not is_long])
        offset += (12 if is_long else 8) + length[0]
        count += 1
    return count


def _nested(depth: int) -> bytes:
    """A valid slice with sequences of undefined length inside each other."""
    opened = struct.pack("<HH2sHL", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    opened += struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closed = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    body = make_ct_slice()
    at = body.index(b"\x10\x00\x10\x00PN")
    return body[:at] + opened * depth + closed * depth + body[at:]


def _pieces(count: int) -> bytes:
    """The head as one JPEG-LS frame in so many fragments."""
    frame = transcode.encode(transcode.JPEG_LS, (head_hu(512) + 1024).astype("<u2"), 12)
    size = len(frame) // count // 2 * 2
    cuts = [frame[size * place : size * (place + 1)] for place in range(count - 1)]
    last = frame[size * (count - 1) :]
    return file_of(transcode.JPEG_LS, *cuts, last, Rows=512, Columns=512)


def _matrix(size: int) -> bytes:
    """The head on so many rows and columns, always 25 cm wide."""
    spacing_mm = f"{250 / size:.4f}"
    return make_ct_slice(pixels=head_hu(size) + 1024, PixelSpacing=[spacing_mm, spacing_mm])


def _busy_frame(made: Dataset) -> None:
    """Exactly 100 elements and items in the groups of the second frame."""
    frame = made.PerFrameFunctionalGroupsSequence[1]
    frame.add_new((0x0009, 0x0010), "LO", "TEST")
    for element in range(99 - len(frame) + 1):
        frame.add_new((0x0009, 0x1000 + element), "LO", "x")


BORDERS = (
    Border("max_bytes", make_ct_slice, len, "too_large"),
    Border("max_object_bytes", lambda: make_enhanced(FRAMES), len, "too_large"),
    Border(
        "max_inflated_bytes",
        lambda: make_ct_slice(transfer_syntax=DEFLATED),
        _inflated,
        "inflate_limit",
    ),
    Border("max_elements", make_ct_slice, _elements, "header_limit"),
    Border("max_depth", lambda: _nested(5), _always(5), "header_limit"),
    Border("max_header_bytes", make_ct_slice, _header_bytes, "header_limit"),
    Border("max_fragments", lambda: _pieces(7), _always(7), "header_limit"),
    Border("max_frames", lambda: make_enhanced(FRAMES), _always(FRAMES), "frame_limit"),
    Border(
        "max_matrix",
        lambda: _matrix(600),
        _always(600),
        "matrix_size",
        Kind.NOT_ASSESSABLE,
    ),
    Border(
        "min_matrix",
        lambda: _matrix(100),
        _always(100),
        "matrix_size",
        Kind.NOT_ASSESSABLE,
        step=1,
    ),
)


@pytest.mark.parametrize("border", BORDERS, ids=lambda border: border.cap)
def test_each_cap_at_its_border(border: Border) -> None:
    """At the cap the object is classified in all its frames; one beyond, it is refused once."""
    body = border.body()
    fits = border.fits(body)
    tight = replace(Caps(), **{border.cap: fits})
    if border.cap == "max_object_bytes":
        tight = replace(tight, max_bytes=1024)
    found = list(decode_frames(body, tight))
    assert all(item.slice_hu is not None for item in found)
    (refused,) = decode_frames(body, replace(tight, **{border.cap: fits + border.step}))
    assert refused.slice_hu is None
    reasons = blocking(refused.violations)
    assert [(item.code, item.kind) for item in reasons] == [(border.code, border.kind)]


def test_the_elements_of_each_frame_have_a_cap() -> None:
    """Only the frame whose groups are over the cap is refused."""
    body = make_enhanced(2, change=_busy_frame)
    found = list(decode_frames(body, Caps(max_frame_elements=100)))
    assert [item.slice_hu is not None for item in found] == [True, True]
    first, second = decode_frames(body, Caps(max_frame_elements=99))
    assert first.slice_hu is not None
    assert [item.code for item in second.violations] == ["functional_groups"]


def test_every_cap_has_its_border() -> None:
    """A new cap comes with a test of its border."""
    tested = {border.cap for border in BORDERS} | {"max_frame_elements"}
    assert tested == {item.name for item in fields(Caps)} - {"thresholds", "lenient_uids"}


@pytest.mark.parametrize(
    ("cap", "body"),
    [
        ("max_depth", _nested),
        ("max_fragments", _pieces),
        ("max_matrix", _matrix),
        ("min_matrix", _matrix),
    ],
)
def test_the_defaults_at_their_border(cap: str, body: Callable[[int], bytes]) -> None:
    """What keeps to the default caps to the last unit is classified; one more is not."""
    least = getattr(Caps(), cap)
    over = least + (-1 if cap == "min_matrix" else 1)
    (fits,) = decode_frames(body(least))
    assert blocking(fits.violations) == ()
    (refused,) = decode_frames(body(over))
    assert refused.slice_hu is None
