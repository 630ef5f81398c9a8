"""Pictures: hostile pixel data: huge matrices, false lengths, fragments and codestreams."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from service.dicom.transfer_syntax import ACCEPTED
from tests.factories import head_hu, make_ct_slice
from tests.hostile.case import Case
from tests.hostile.parts import (
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    element,
    fragment,
    valid,
    valid_rle,
)

_ROWS, _COLUMNS, _FRAMES, _ALLOCATED = 0x00280010, 0x00280011, 0x00280008, 0x00280100
_NATIVE = 512 * 512 * 2
_ENCAPSULATED = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, UNDEFINED)


def words(*pairs: tuple[int, int]) -> bytes:
    """The valid slice with some 16-bit elements changed."""
    parts = valid()
    for tag, value in pairs:
        parts = parts.put(tag, element(tag, "US", struct.pack("<H", value)))
    return parts.file()


def frames(text: bytes) -> bytes:
    """The valid slice with a number of frames."""
    return valid().put(_FRAMES, element(_FRAMES, "IS", text)).file()


def native(size: int, length: int | None = None) -> bytes:
    """The valid slice with its pixels cut or padded, and perhaps another length declared."""
    pixels = valid().elements[PIXEL_DATA][12:][:size].ljust(size, b"\0")
    return valid().put(PIXEL_DATA, element(PIXEL_DATA, "OW", pixels, length)).file()


def fragments(*items: bytes, end: bytes = SEQUENCE_END) -> bytes:
    """The RLE slice with these items as its pixel data."""
    raw = element(PIXEL_DATA, "OB", length=UNDEFINED) + b"".join(items) + end
    return valid_rle().put(PIXEL_DATA, raw).file()


def rle(count: int, *offsets: int, segments: bytes = b"") -> bytes:
    """An RLE fragment with this header (PS3.5 G.5) in front of these segments."""
    padded = (*offsets, *([0] * (15 - len(offsets))))
    return fragments(fragment(b""), fragment(struct.pack("<16L", count, *padded) + segments))


def declared(body: bytes, rows: int, columns: int) -> bytes:
    """A file whose rows and columns were overwritten where they stand, little endian explicit."""
    for tag, value in ((_ROWS, rows), (_COLUMNS, columns)):
        head = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"US", 2)
        at = body.index(head) + len(head)
        body = body[:at] + struct.pack("<H", value) + body[at + 2 :]
    return body


def mismatch(syntax: str, size: int, rows: int, columns: int) -> bytes:
    """A codestream of size x size behind a header that says something else."""
    pixels = (head_hu(size).astype("int32") + 1024).astype("<u2")
    return declared(make_ct_slice(transfer_syntax=syntax, pixels=pixels), rows, columns)


def compressed() -> list[str]:
    """Every syntax that is accepted at run time and writes its pixels as a codestream."""
    return [uid for uid in ACCEPTED if _ENCAPSULATED in make_ct_slice(transfer_syntax=uid)]


def codec_cases() -> list[Case]:
    """The size of the codestream against rows and columns, in every compressed syntax."""
    found = []
    for uid in compressed():
        name = ACCEPTED[uid].name
        rows: tuple[tuple[str, Callable[[], bytes], int, str], ...] = (
            ("smaller codestream", partial(mismatch, uid, 256, 512, 512), 400, "pixel_corrupt"),
            ("larger codestream", partial(mismatch, uid, 512, 256, 256), 400, "pixel_corrupt"),
            ("huge matrix", partial(mismatch, uid, 512, 65535, 65535), 422, "matrix_size"),
            ("noise", partial(_replaced, uid, b"\xa5\x5a" * 4096), 400, "pixel_corrupt"),
            ("empty fragment", partial(_replaced, uid, b""), 400, "pixel_corrupt"),
        )
        found += [
            Case(f"{name}: {what}", build, status, code) for what, build, status, code in rows
        ]
    return found


def _replaced(syntax: str, codestream: bytes) -> bytes:
    """The slice of a compressed syntax with another codestream."""
    body = make_ct_slice(transfer_syntax=syntax)
    start = body.index(_ENCAPSULATED) + len(_ENCAPSULATED)
    return body[:start] + fragment(b"") + fragment(codestream) + SEQUENCE_END


# A literal run of 128 zeros costs two bytes: 64 times its size.
_RUNS = b"\x81\x00"

# fmt: off
CASES: tuple[Case, ...] = (
    Case("rows and columns of 65,535", lambda: words((_ROWS, 65535), (_COLUMNS, 65535)), 422,
         "matrix_size"),
    Case("rows and columns of 0", lambda: words((_ROWS, 0), (_COLUMNS, 0)), 422, "matrix_size"),
    Case("rows of 511", lambda: words((_ROWS, 511)), 422, "pixel_length"),
    Case("matrix of 1024 without its pixels", lambda: words((_ROWS, 1024), (_COLUMNS, 1024)), 422,
         "pixel_length"),
    Case("65,535 bits a sample", lambda: words((_ALLOCATED, 65535)), 422, "pixel_layout"),
    Case("2,147,483,647 frames", lambda: frames(b"2147483647"), 422, "multi_frame"),
    Case("-1 frames", lambda: frames(b"-1"), 422, "multi_frame"),
    Case("pixels one word short", lambda: native(_NATIVE - 2), 422, "pixel_length"),
    Case("pixels one word long", lambda: native(_NATIVE + 2), 422, "pixel_length"),
    Case("pixels of odd length", lambda: native(_NATIVE - 1), 422, "pixel_length"),
    Case("no pixels", lambda: valid().put(PIXEL_DATA).file(), 422, "pixel_length"),
    Case("empty pixels", lambda: native(0), 422, "pixel_length"),
    Case("pixels of 4 GiB", lambda: native(_NATIVE, 0xFFFFFFFE), 422, "pixel_length"),
    Case("pixels declared one word longer", lambda: native(_NATIVE, _NATIVE + 2), 422,
         "pixel_length"),
    Case("pixels declared one word shorter", lambda: native(_NATIVE, _NATIVE - 2), 400,
         "corrupt"),
    Case("500,000 fragments",
         lambda: fragments(fragment(b"") * 500_000), 413, "header_limit"),
    Case("66 fragments", lambda: fragments(fragment(b"") * 67), 413, "header_limit"),
    Case("no fragment", lambda: fragments(), 422, "pixel_length"),
    Case("offset table alone", lambda: fragments(fragment(b"")), 422, "pixel_length"),
    Case("fragment of 4 GiB",
         lambda: fragments(fragment(b""), fragment(b"AB", 0xFFFFFFFE)), 400, "corrupt"),
    Case("fragments without their end",
         lambda: fragments(fragment(b""), fragment(b"AB"), end=b""), 400, "corrupt"),
    Case("fragments in the native syntax",
         lambda: valid().put(PIXEL_DATA, valid_rle().elements[PIXEL_DATA]).file(), 422,
         "pixel_length"),
    Case("native pixels in the RLE syntax",
         lambda: valid_rle().put(PIXEL_DATA, valid().elements[PIXEL_DATA]).file(), 422,
         "pixel_length"),
    Case("RLE with 15 segments", lambda: rle(15, *range(64, 79), segments=bytes(64)), 400,
         "pixel_corrupt"),
    Case("RLE with 4 billion segments", lambda: rle(0xFFFFFFFF, 64, segments=bytes(64)), 400,
         "pixel_corrupt"),
    Case("RLE offsets past the end", lambda: rle(2, 64, 0xFFFFFFF0, segments=bytes(64)), 400,
         "pixel_corrupt"),
    Case("RLE segments in reverse", lambda: rle(2, 80, 64, segments=bytes(64)), 400,
         "pixel_corrupt"),
    Case("RLE that expands without end",
         lambda: rle(2, 64, 64 + 200_000, segments=_RUNS * 200_000), 400, "pixel_corrupt"),
    Case("RLE that ends early", lambda: rle(2, 64, 66, segments=_RUNS * 2), 400, "pixel_corrupt"),
    *codec_cases(),
)
# fmt: on
