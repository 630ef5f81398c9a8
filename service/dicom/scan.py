"""Scan: one bounded walk over the bytes of a data set, before any value is interpreted.

It finds where the wanted top-level elements lie and never recurses, copies or converts, so that
nested sequences, element floods and false lengths cost a bounded time. Elements of defined length
are stepped over; only sequences of undefined length have to be entered (PS3.5 section 7.5).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from service.dicom.limits import Caps
from service.dicom.violations import CORRUPT, HEADER_LIMIT, TAG_ORDER
from service.types import Violation

PIXEL_DATA = 0x7FE00010
SHARED_GROUPS, PER_FRAME_GROUPS = 0x52009229, 0x52009230
ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF

# VRs with a reserved word and a 32-bit length in explicit syntaxes (PS3.5 table 7.1-1).
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())


class ScanFault(Exception):
    """The walk cannot go on; the violation says whether for damage, order or a breached cap."""

    def __init__(self, violation: Violation = CORRUPT) -> None:
        super().__init__()
        self.violation = violation


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the elements of a data set are written."""

    implicit: bool
    little: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where the value of an element lies: VR as written (None when implicit), start, length."""

    vr: str | None
    start: int
    length: int


@dataclass(slots=True)
class Layout:
    """What the walk found.

    Attributes:
        places: wanted elements by tag; of a sequence of undefined length up to its delimiter.
        fragments: encapsulated pixel data, one place each.
        offsets: the Basic Offset Table in front of the fragments.
    """

    places: dict[int, Place] = field(default_factory=dict)
    fragments: list[Place] = field(default_factory=list)
    offsets: Place | None = None


class Scanner:
    """One walk over `data`; `layout` keeps what was found even when a fault ends the walk."""

    def __init__(
        self, data: memoryview, encoding: Encoding, caps: Caps, wanted: frozenset[int]
    ) -> None:
        self.layout = Layout()
        self._data = data
        self._caps = caps
        self._wanted = wanted
        self._implicit = encoding.implicit
        order = "<" if encoding.little else ">"
        self._tag = struct.Struct(order + "HH").unpack_from
        self._word: Callable[..., tuple[Any, ...]] = struct.Struct(order + "L").unpack_from
        self._half: Callable[..., tuple[Any, ...]] = struct.Struct(order + "H").unpack_from
        self._visited = 0
        self._allowed = caps.max_elements
        self._max_fragments = caps.max_fragments
        self._group_bytes = 0

    def walk(self, start: int, *, stop: Callable[[int], bool] | None = None) -> int:
        """Walk the top level from `start`; returns the offset behind the last element.

        Args:
            start: offset of the first element.
            stop: called with each tag; True ends the walk in front of that element.

        Raises:
            ScanFault: damaged bytes, tags that do not ascend (PS3.5 7.1), or a breached cap.
        """
        offset, last = start, -1
        while offset < len(self._data):
            # What follows may be written in another encoding: only the tag is looked at.
            if stop is not None and stop(self._peek(offset)):
                return offset
            # Zeros behind the pixels are harmless; anything else could shadow an element.
            if last == PIXEL_DATA and not bytes(self._data[offset:]).strip(b"\0"):
                return len(self._data)
            tag, vr, value, length = self._header(offset, self._implicit)
            if tag <= last:
                raise ScanFault(TAG_ORDER)
            last = tag
            # Objects without pixels (reports) may be long: the gate skips them by their class.
            header_bytes = value - start - self._group_bytes
            if tag == PIXEL_DATA and header_bytes > self._caps.max_header_bytes:
                raise ScanFault(HEADER_LIMIT)
            if tag in (SHARED_GROUPS, PER_FRAME_GROUPS):
                self._allow_frames()
            offset = self._top_level(tag, vr, value, length)
            if tag in (SHARED_GROUPS, PER_FRAME_GROUPS):
                self._group_bytes += offset - value
        return offset

    def _allow_frames(self) -> None:
        """Multi-frame objects have a header and fragments for each of their frames."""
        caps = self._caps
        self._allowed = caps.max_elements + caps.max_frames * caps.max_frame_elements
        self._max_fragments = caps.max_frames * caps.max_fragments

    def _top_level(self, tag: int, vr: str | None, value: int, length: int) -> int:
        """Record one top-level element and return the offset behind it."""
        if length != UNDEFINED:
            end = value + length
            if tag in self._wanted and (end <= len(self._data) or tag == PIXEL_DATA):
                # Pixels past the end keep the length that was declared: the gate compares it.
                self.layout.places[tag] = Place(vr, value, length)
            if end > len(self._data) and tag != PIXEL_DATA:
                raise ScanFault
            return min(end, len(self._data))
        if tag == PIXEL_DATA:
            self.layout.places[tag] = Place(vr, value, UNDEFINED)
            return self._fragments(value)
        end = self._sequence(value, implicit=self._implicit or vr == "UN")
        if tag in self._wanted:
            self.layout.places[tag] = Place(vr, value, end - value)
        return end

    def item(self, offset: int) -> tuple[int, int]:
        """Tag and length of the item or delimiter at `offset`.

        Raises:
            ScanFault: the data ends there.
        """
        tag, _, _, length = self._header(offset, True)
        return tag, length

    def _peek(self, offset: int) -> int:
        """The tag at `offset`, 0 when the data ends there."""
        if len(self._data) - offset < 4:
            return 0
        group, element = self._tag(self._data, offset)
        return int(group << 16 | element)

    def _header(self, offset: int, implicit: bool) -> tuple[int, str | None, int, int]:
        """(tag, VR, offset of the value, length) of the element at `offset`."""
        self._visited += 1
        if self._visited > self._allowed:
            raise ScanFault(HEADER_LIMIT)
        if len(self._data) - offset < 8:
            raise ScanFault
        group, element = self._tag(self._data, offset)
        tag = group << 16 | element
        if implicit or group == 0xFFFE:
            return tag, None, offset + 8, self._word(self._data, offset + 4)[0]
        vr = bytes(self._data[offset + 4 : offset + 6])
        if vr in _SHORT:
            return tag, vr.decode(), offset + 8, self._half(self._data, offset + 6)[0]
        if vr not in _LONG or len(self._data) - offset < 12:
            raise ScanFault
        return tag, vr.decode(), offset + 12, self._word(self._data, offset + 8)[0]

    def _sequence(self, offset: int, *, implicit: bool) -> int:
        """Step over a sequence of undefined length and return the offset behind it.

        `open_levels` holds one flag a level: True inside an item (elements follow), False
        inside a sequence (items follow); undefined-length UN is implicit inside (CP-246).
        """
        open_levels: list[tuple[bool, bool]] = [(False, implicit)]
        while open_levels:
            in_item, implicit = open_levels[-1]
            tag, vr, value, length = self._header(offset, implicit)
            if tag == (ITEM_END if in_item else SEQUENCE_END):
                open_levels.pop()
                offset = value
            elif in_item == (tag >> 16 == 0xFFFE) or (not in_item and tag != ITEM):
                raise ScanFault
            elif length != UNDEFINED:
                offset = value + length
            else:
                open_levels.append((not in_item, implicit or vr == "UN"))
                offset = value
            if len(open_levels) > 2 * self._caps.max_depth:
                raise ScanFault(HEADER_LIMIT)
        return offset

    def _fragments(self, offset: int) -> int:
        """Record the fragments of encapsulated pixel data, without the offset table (PS3.5 A.4)."""
        while True:
            tag, _, value, length = self._header(offset, True)
            if tag == SEQUENCE_END:
                self.layout.offsets = next(iter(self.layout.fragments), None)
                del self.layout.fragments[:1]
                return value
            if tag != ITEM or length > len(self._data) - value:
                raise ScanFault
            self.layout.fragments.append(Place(None, value, length))
            if len(self.layout.fragments) > self._max_fragments + 1:
                raise ScanFault(HEADER_LIMIT)
            offset = value + length
