"""Parts: a valid slice taken into its elements, so that each can be broken by the byte.

make_ct_slice -> split -> Parts(head, elements by tag) -> put -> bytes

Explicit VR little endian only; the writer never checks: lengths may lie, tags may repeat.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from tests.factories import DEFLATED, RLE, make_ct_slice

UNDEFINED = 0xFFFFFFFF
ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)
ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
PIXEL_DATA = 0x7FE00010

_LONG = ("OB", "OW", "SQ", "UC", "UN", "UR", "UT")
_PREFIX = 132
_META_LENGTH_AT = 140  # value of (0002,0000), the first element of the file meta group


def element(tag: int, vr: str, value: bytes = b"", length: int | None = None) -> bytes:
    """One element; `length` is written instead of the true one where it is given."""
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in _LONG:
        return head + struct.pack("<HL", 0, size) + value
    return head + struct.pack("<H", size) + value


def fragment(value: bytes, length: int | None = None) -> bytes:
    """One item of encapsulated pixel data (PS3.5 A.4); `length` may lie."""
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value) if length is None else length) + value


@dataclass(frozen=True, slots=True)
class Parts:
    """A Part 10 file: preamble, prefix and file meta group, then the elements of the data set."""

    head: bytes
    elements: Mapping[int, bytes]

    def put(self, tag: int, *raw: bytes) -> Parts:
        """With the bytes at the place of one tag replaced or added; none drops the element."""
        return Parts(self.head, self.elements | {tag: b"".join(raw)})

    def data(self) -> bytes:
        """The data set."""
        return b"".join(self.elements[tag] for tag in sorted(self.elements))

    def file(self) -> bytes:
        """The whole file."""
        return self.head + self.data()


def borders(body: bytes) -> list[int]:
    """Offsets in an explicit little endian file at which an element starts, and its end."""
    found, offset = [], _PREFIX
    while offset < len(body):
        found.append(offset)
        long = body[offset + 4 : offset + 6].decode() in _LONG
        form, at, head = ("<L", 8, 12) if long else ("<H", 6, 8)
        length = struct.unpack_from(form, body, offset + at)[0]
        offset = len(body) if length == UNDEFINED else offset + head + length
    return [*found, len(body)]


def split(body: bytes) -> Parts:
    """The parts of an explicit little endian file from the factory."""
    starts = borders(body)
    data_at = _META_LENGTH_AT + 4 + struct.unpack_from("<L", body, _META_LENGTH_AT)[0]
    elements = {}
    for start, end in pairwise(starts):
        if start >= data_at:
            group, number = struct.unpack_from("<HH", body, start)
            elements[group << 16 | number] = body[start:end]
    return Parts(body[:data_at], elements)


@lru_cache(maxsize=1)
def valid() -> Parts:
    """The valid native slice."""
    return split(make_ct_slice())


@lru_cache(maxsize=1)
def valid_rle() -> Parts:
    """The valid RLE slice."""
    return split(make_ct_slice(transfer_syntax=RLE))


def head_of(transfer_syntax: str) -> bytes:
    """Preamble, prefix and file meta group that declare a syntax, whatever follows."""
    body = make_ct_slice(transfer_syntax=transfer_syntax)
    return body[: _META_LENGTH_AT + 4 + struct.unpack_from("<L", body, _META_LENGTH_AT)[0]]


def deflated(data: bytes, wbits: int = -15) -> bytes:
    """A deflated file of a data set; `wbits` 15 wraps it as zlib, which DICOM forbids."""
    packer = zlib.compressobj(1, wbits=wbits)
    return head_of(DEFLATED) + packer.compress(data) + packer.flush()
