"""Mutate: changes of a slice that know where its codestream, its fragments and its header lie.

Random bytes mostly break a length, and the reader refuses the rest unread. Here the file around
the change stays well formed, so that the change reaches the code behind: header gates, decoders.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

from tests.hostile.parts import SEQUENCE_END, UNDEFINED, fragment

_PIXELS = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, UNDEFINED)
_HEADER_REACH = 160  # bytes of a codestream in which its header lies
_INTERESTING = (0, 1, 2, 7, 8, 15, 16, 17, 63, 64, 65, 127, 255, 256, 512, 1024, 4096, 32767)
_WORDS = (*_INTERESTING, 32768, 65534, 65535)
# Rows, columns, bits stored, high bit, sign: what a decoder is told about the codestream.
_TAGS = (0x00280010, 0x00280011, 0x00280101, 0x00280102, 0x00280103)

Change = Callable[[bytearray, random.Random], bytearray]


@dataclass(frozen=True, slots=True)
class Pieces:
    """A file: what stands in front of the codestream, the codestream, whether it is a fragment."""

    front: bytes
    stream: bytes
    encapsulated: bool

    @classmethod
    def of(cls, body: bytes) -> Pieces:
        """Take a file of the factory apart; without fragments the data set is the stream."""
        at = body.find(_PIXELS)
        if at < 0:
            data_at = 144 + struct.unpack_from("<L", body, 140)[0]
            return cls(body[:data_at], body[data_at:], encapsulated=False)
        start = at + len(_PIXELS)
        (table,) = struct.unpack_from("<L", body, start + 4)
        first = start + 8 + table
        (length,) = struct.unpack_from("<L", body, first + 4)
        return cls(body[:start], body[first + 8 : first + 8 + length], encapsulated=True)

    def file(self, stream: bytes, rng: random.Random) -> bytes:
        """The file with another codestream, mostly in one fragment."""
        if not self.encapsulated:
            return self.front + stream
        parts = [stream]
        if rng.random() < 0.1 and len(stream) > 4:
            cut = rng.randrange(2, len(stream), 2)
            parts = [stream[:cut], stream[cut:]]
        padded = [part + b"\0" * (len(part) % 2) for part in parts]
        return self.front + fragment(b"") + b"".join(map(fragment, padded)) + SEQUENCE_END


def _bytes(stream: bytearray, rng: random.Random) -> bytearray:
    """Some bytes anywhere."""
    for _ in range(rng.randint(1, 8)):
        stream[rng.randrange(len(stream))] = rng.randrange(256)
    return stream


def _bits_of_the_header(stream: bytearray, rng: random.Random) -> bytearray:
    """Some bits of the first bytes."""
    for _ in range(rng.randint(1, 3)):
        stream[rng.randrange(min(len(stream), _HEADER_REACH))] ^= 1 << rng.randrange(8)
    return stream


def _number(stream: bytearray, rng: random.Random) -> bytearray:
    """A 16- or 32-bit number of the header becomes an extreme one."""
    value = rng.choice(_WORDS)
    form = rng.choice((">H", "<H", ">L", "<L"))
    at = rng.randrange(max(1, min(len(stream), _HEADER_REACH) - 4))
    raw = struct.pack(form, value)
    stream[at : at + len(raw)] = raw
    return stream


def _marker(stream: bytearray, rng: random.Random) -> bytearray:
    """A marker appears somewhere."""
    at = rng.randrange(len(stream))
    stream[at : at + 2] = bytes((0xFF, rng.randrange(0x4F, 0x100)))
    return stream


def _cut(stream: bytearray, rng: random.Random) -> bytearray:
    """A piece is missing, often the end."""
    first, second = sorted(rng.randrange(len(stream)) for _ in range(2))
    del stream[first : len(stream) if rng.random() < 0.5 else second]
    return stream


def _repeat(stream: bytearray, rng: random.Random) -> bytearray:
    """A piece stands there twice."""
    first, second = sorted(rng.randrange(len(stream)) for _ in range(2))
    stream[first:first] = stream[first : min(second, first + 4096)]
    return stream


_CHANGES: tuple[Change, ...] = (_bytes, _bits_of_the_header, _number, _marker, _cut, _repeat)


def mutant(pieces: Pieces, rng: random.Random) -> bytes:
    """One mutant: one to three changes of the codestream, now and then of what describes it."""
    stream = bytearray(pieces.stream)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if len(stream) > 8:
            stream = rng.choice(_CHANGES)(stream, rng)
    body = pieces.file(bytes(stream), rng)
    return _described_otherwise(body, rng) if rng.random() < 0.2 else body


def _described_otherwise(body: bytes, rng: random.Random) -> bytes:
    """One 16-bit element of the DICOM header says something else, where it stands explicitly."""
    tag = rng.choice(_TAGS)
    head = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"US", 2)
    at = body.find(head)
    if at < 0:
        return body
    value = at + len(head)
    return body[:value] + struct.pack("<H", rng.choice(_WORDS)) + body[value + 2 :]
