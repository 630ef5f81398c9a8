"""Enhanced: a multi-frame object taken apart into frames that are judged like single slices.

Parsed (object) -> frames counted and bounded -> functional groups, pixels of frame k
                -> Parsed (frame k), which gate, pixels, hounsfield and content know no differently
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from service.dicom.functional_groups import GroupFault, Groups
from service.dicom.header import TAGS, Header
from service.dicom.limits import Caps
from service.dicom.pixel_conditions import pixel_length
from service.dicom.reader import Parsed
from service.dicom.scan import PIXEL_DATA, Place, ScanFault
from service.dicom.violations import (
    FRAME_LIMIT,
    FRAME_OFFSETS,
    FUNCTIONAL_GROUPS,
    HEADER_LIMIT,
    PIXEL_LENGTH,
)

_ITEM_HEADER = 8

Fragments = tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one object; `len` of them, each read when it is asked for."""

    parsed: Parsed
    groups: Groups
    fragments: tuple[Fragments, ...]

    @classmethod
    def of(cls, parsed: Parsed, caps: Caps) -> Frames:
        """Divide an object.

        Raises:
            ScanFault: too many frames, groups that do not describe each of them once, or pixel
                data that cannot be divided; its violation says which.
        """
        count = parsed.header.number("NumberOfFrames") or 0
        if count > caps.max_frames:
            raise ScanFault(FRAME_LIMIT)
        groups = Groups.of(parsed.header, parsed.encoding, caps)
        if count < 1 or len(groups.frames) != count:
            raise GroupFault
        fragments: tuple[Fragments, ...] = ()
        if parsed.syntax is not None and parsed.syntax.encapsulated:
            fragments = divided(parsed, len(groups.frames))
            if max(map(len, fragments)) > caps.max_fragments:
                raise ScanFault(HEADER_LIMIT)
        elif pixel_length(parsed, caps):
            raise ScanFault(PIXEL_LENGTH)
        return cls(parsed, groups, fragments)

    def __len__(self) -> int:
        """The number of frames, at least 1."""
        return len(self.groups.frames)

    def frame(self, index: int) -> Parsed:
        """Frame `index`, from 0, as an object of one frame.

        Raises:
            ScanFault: its functional groups are damaged or contradict the shared ones.
        """
        try:
            places = self.groups.places(index)
        except ScanFault as fault:
            raise ScanFault(FUNCTIONAL_GROUPS) from fault
        own = self.fragments[index] if self.fragments else ()
        if not own:
            places[PIXEL_DATA] = self._native(index)
        header = self.parsed.header
        single = Header(header.data, places, header.little, header.lenient_uids)
        return replace(self.parsed, header=single, fragments=own, offsets=None)

    def _native(self, index: int) -> Place:
        """Where the uncompressed pixels of a frame lie; frames follow each other without gaps."""
        whole, header = self.parsed.header.places[PIXEL_DATA], self.parsed.header
        length = 1
        for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"):
            length *= header.word(keyword) or 0
        length //= 8
        return Place(whole.vr, whole.start + index * length, length)


def divided(parsed: Parsed, frames: int) -> tuple[Fragments, ...]:
    """The fragments of each frame (PS3.5 A.4).

    By the Extended or the Basic Offset Table; without either only when each frame is one fragment.

    Raises:
        ScanFault: the table does not point at fragments in ascending order from the first.
    """
    parts = parsed.fragments
    offsets = _extended(parsed.header) or _basic(parsed)
    if not offsets:
        if len(parts) != frames:
            raise ScanFault(FRAME_OFFSETS)
        return tuple((part,) for part in parts)
    first = parts[0].start if parts else 0
    number = {part.start - first: index for index, part in enumerate(parts)}
    starts = [number.get(offset, -1) for offset in offsets]
    if len(starts) != frames or starts[:1] != [0] or sorted(set(starts)) != starts:
        raise ScanFault(FRAME_OFFSETS)
    ends = [*starts[1:], len(parts)]
    return tuple(parts[start:end] for start, end in zip(starts, ends, strict=True))


def _basic(parsed: Parsed) -> tuple[int, ...]:
    """The Basic Offset Table: 32 bits a frame, from the first fragment's item; may be empty."""
    place = parsed.offsets
    if place is None or not place.length:
        return ()
    return _numbers(parsed.header, place, "<L")


def _extended(header: Header) -> tuple[int, ...]:
    """The Extended Offset Table (7FE0,0001): 64 bits a frame; empty when absent."""
    place = header.places.get(TAGS["ExtendedOffsetTable"])
    return () if place is None else _numbers(header, place, "<Q")


def _numbers(header: Header, place: Place, kind: str) -> tuple[int, ...]:
    size = struct.calcsize(kind)
    if place.length % size:
        raise ScanFault(FRAME_OFFSETS)
    raw = header.data[place.start : place.start + place.length]
    return tuple(value for (value,) in struct.iter_unpack(kind, raw))
