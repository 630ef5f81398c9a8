"""Functional groups: places of a frame, and sequences that are not what they should be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from service.dicom.functional_groups import Groups
from service.dicom.header import TAGS
from service.dicom.limits import Caps
from service.dicom.reader import read
from service.dicom.scan import ScanFault
from tests.enhanced_ct import Change, make_enhanced

CAPS = Caps()


def groups(change: Change | None = None, caps: Caps = CAPS) -> Groups:
    """The groups of an object of two frames."""
    parsed = read(make_enhanced(2, change=change), caps)
    return Groups.of(parsed.header, parsed.encoding, caps)


def test_a_frame_has_what_is_shared_and_what_is_its_own() -> None:
    """Spacing comes from the shared groups, the slope from its own, the rows from the object."""
    found = groups().places(1)
    for keyword in ("PixelSpacing", "KVP", "RescaleSlope", "ImageType", "Rows", "WindowCenter"):
        assert TAGS[keyword] in found, keyword
    assert TAGS["NumberOfFrames"] not in found
    assert TAGS["PerFrameFunctionalGroupsSequence"] not in found


def _two_items(made: Dataset) -> None:
    macro = made.PerFrameFunctionalGroupsSequence[0].PixelValueTransformationSequence
    made.PerFrameFunctionalGroupsSequence[0].PixelValueTransformationSequence = [*macro, *macro]


def _no_item(made: Dataset) -> None:
    made.PerFrameFunctionalGroupsSequence[0].PlaneOrientationSequence = []


@pytest.mark.parametrize("change", [_two_items, _no_item])
def test_a_macro_that_decides_has_one_item(change: Change) -> None:
    """Two slopes, or an orientation without a value, are not chosen from."""
    found = groups(change)
    with pytest.raises(ScanFault):
        found.places(0)
    assert TAGS["RescaleSlope"] in found.places(1)


def test_the_elements_of_a_frame_are_bounded() -> None:
    """A frame header over its cap is refused, also inside a sequence of defined length."""

    def flood(made: Dataset) -> None:
        frame = made.PerFrameFunctionalGroupsSequence[0]
        for element in range(200):
            frame.add_new((0x0009, 0x1000 + element), "LO", "x")
        frame.add_new((0x0009, 0x0010), "LO", "TEST")

    assert groups(flood).places(0)
    tight = groups(flood, replace(CAPS, max_frame_elements=100))
    with pytest.raises(ScanFault):
        tight.places(0)
    assert tight.places(1)
