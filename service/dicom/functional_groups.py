"""Functional groups: the header of each frame of an Enhanced or Legacy Converted Enhanced CT.

shared groups (one item) + per-frame groups (one item a frame) -> places by tag, as if the frame
were a CT image of its own (PS3.3 C.7.6.16)

A group is a sequence of one item (its macro) inside the item of a frame. Known macros are entered,
others stepped over; the values stay where they are in the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydicom.datadict import tag_for_keyword

from service.dicom.header import TAGS, Header
from service.dicom.limits import Caps
from service.dicom.scan import (
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    Place,
    ScanFault,
    Scanner,
)
from service.dicom.violations import FUNCTIONAL_GROUPS

_ITEM_HEADER = 8


def _tag(keyword: str) -> int:
    return tag_for_keyword(keyword) or 0


def _tags(*keywords: str) -> frozenset[int]:
    return frozenset(TAGS[name] for name in keywords)


_REGION = _tag("AnatomicRegionSequence")
_ANATOMY = _tag("FrameAnatomySequence")
_USAGE = _tag("ContrastBolusUsageSequence")
# Macro -> the elements that are taken from its first item (PS3.3 C.7.6.16.2 and C.8.15.3).
_MACROS: dict[int, frozenset[int]] = {
    _tag("PixelMeasuresSequence"): _tags("PixelSpacing", "SliceThickness"),
    _tag("PlaneOrientationSequence"): _tags("ImageOrientationPatient"),
    _tag("PixelValueTransformationSequence"): _tags(
        "RescaleIntercept", "RescaleSlope", "RescaleType"
    ),
    _tag("FrameVOILUTSequence"): _tags("WindowCenter", "WindowWidth"),
    _tag("CTImageFrameTypeSequence"): _tags("FrameType"),
    _tag("CTXRayDetailsSequence"): _tags("KVP"),
    _tag("CTReconstructionSequence"): _tags("ConvolutionKernel"),
    _USAGE: _tags("ContrastBolusAgentAdministered"),
    _ANATOMY: frozenset((_REGION,)),
    # Legacy Converted: what had no macro of its own is kept as it was.
    _tag("UnassignedSharedConvertedAttributesSequence"): _tags(
        "KVP", "ConvolutionKernel", "ContrastBolusAgent", "BodyPartExamined", "SliceThickness"
    ),
    _tag("UnassignedPerFrameConvertedAttributesSequence"): _tags(
        "KVP", "ConvolutionKernel", "ContrastBolusAgent", "BodyPartExamined", "SliceThickness"
    ),
}
_WANTED_MACROS = frozenset(_MACROS)
# What decides about values and plane must not be said twice.
_ONCE = frozenset(
    _tag(name)
    for name in (
        *("PixelMeasuresSequence", "PlaneOrientationSequence"),
        *("PixelValueTransformationSequence", "CTImageFrameTypeSequence"),
    )
)

Places = dict[int, Place]


class GroupFault(ScanFault):
    """The functional groups contradict themselves or the rest of the object."""

    def __init__(self) -> None:
        super().__init__(FUNCTIONAL_GROUPS)


@dataclass(frozen=True, slots=True)
class Groups:
    """The functional groups of one object: where the items of its frames lie."""

    header: Header
    encoding: Encoding
    caps: Caps
    shared: Places
    frames: tuple[Place, ...]

    @classmethod
    def of(cls, header: Header, encoding: Encoding, caps: Caps) -> Groups:
        """Find the items of all frames; none is read yet.

        Raises:
            ScanFault: damaged bytes, or not exactly one shared item.
        """
        walker = _Walker(header, encoding, caps)
        shared = walker.items(TAGS["SharedFunctionalGroupsSequence"])
        frames = walker.items(TAGS["PerFrameFunctionalGroupsSequence"])
        if len(shared) != 1:
            raise GroupFault
        return cls(header, encoding, caps, walker.elements(shared[0], _WANTED_MACROS), frames)

    def places(self, index: int) -> Places:
        """The places of frame `index` (from 0): those of the object, overlaid by its groups.

        Raises:
            ScanFault: damaged bytes, or a group that is there twice or has not one item.
        """
        walker = _Walker(self.header, self.encoding, self.caps)
        own = walker.elements(self.frames[index], _WANTED_MACROS)
        if own.keys() & self.shared.keys() & _ONCE:
            raise GroupFault
        found = dict(self.header.places)
        for keyword in ("NumberOfFrames", "SharedFunctionalGroupsSequence"):
            found.pop(TAGS[keyword], None)
        found.pop(TAGS["PerFrameFunctionalGroupsSequence"], None)
        for tag, sequence in (self.shared | own).items():
            found |= walker.macro(tag, sequence)
        for said, meant in (("FrameType", "ImageType"), ("CodeMeaning", "BodyPartExamined")):
            if TAGS[said] in found:
                found[TAGS[meant]] = found.pop(TAGS[said])
        return found


class _Walker:
    """Reads items and the wanted elements of an item."""

    def __init__(self, header: Header, encoding: Encoding, caps: Caps) -> None:
        self._header = header
        self._encoding = encoding
        # The walk over the whole object stepped over sequences of defined length.
        self._caps = replace(caps, max_elements=caps.max_frame_elements)

    def _scanner(self, end: int, wanted: frozenset[int]) -> Scanner:
        return Scanner(self._header.data[:end], self._encoding, self._caps, wanted)

    def items(self, tag: int) -> tuple[Place, ...]:
        """The items of a top-level sequence."""
        sequence = self._header.places.get(tag)
        return self.items_of(sequence) if sequence is not None else ()

    def items_of(self, sequence: Place) -> tuple[Place, ...]:
        """The items of a sequence, without their headers and delimiters (PS3.5 7.5)."""
        if sequence.vr not in (None, "SQ"):
            raise GroupFault
        end, offset = sequence.start + sequence.length, sequence.start
        found: list[Place] = []
        while offset < end:
            tag, length = self._scanner(end, frozenset()).item(offset)
            offset += _ITEM_HEADER
            if tag == SEQUENCE_END:
                break
            if tag != ITEM:
                raise GroupFault
            if length == UNDEFINED:
                stop = self._scanner(end, frozenset()).walk(offset, stop=ITEM_END.__eq__)
                found.append(Place(None, offset, stop - offset))
                offset = stop + _ITEM_HEADER
            else:
                found.append(Place(None, offset, length))
                offset += length
            if offset > end or len(found) > self._caps.max_frames:
                raise GroupFault
        return tuple(found)

    def elements(self, item: Place, wanted: frozenset[int]) -> Places:
        """The wanted elements of an item."""
        scanner = self._scanner(item.start + item.length, wanted)
        scanner.walk(item.start)
        return scanner.layout.places

    def macro(self, tag: int, sequence: Place) -> Places:
        """The wanted elements of the first item of a macro, and of the region within anatomy."""
        items = self.items_of(sequence)
        if len(items) != 1 and tag in _ONCE:
            raise GroupFault
        # One item an agent: any of them may have arrived, so none of them says that none has.
        if not items or (tag == _USAGE and len(items) > 1):
            return {}
        found = self.elements(items[0], _MACROS[tag])
        if tag == _ANATOMY and (region := found.get(_REGION)) is not None:
            codes = self.items_of(region)
            return self.elements(codes[0], _tags("CodeMeaning")) if codes else {}
        return found
