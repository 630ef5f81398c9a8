"""Multi-frame objects that cannot be divided are refused, with one clear code."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset

from service.dicom.decode import decode_frames
from service.types import Action, Decoded
from tests.enhanced_ct import compress, make_enhanced, with_basic_table
from tests.factories import RLE, sop_uid


def codes(decoded: Decoded) -> list[str]:
    """The codes of a verdict."""
    return [item.code for item in decoded.violations]


def _one_frame_less(made: Dataset) -> None:
    made.PerFrameFunctionalGroupsSequence = made.PerFrameFunctionalGroupsSequence[:-1]


def _no_shared(made: Dataset) -> None:
    del made.SharedFunctionalGroupsSequence


def _two_shared(made: Dataset) -> None:
    made.SharedFunctionalGroupsSequence = [*made.SharedFunctionalGroupsSequence, Dataset()]


def _no_frames(made: Dataset) -> None:
    made.NumberOfFrames = 0
    made.PerFrameFunctionalGroupsSequence = []


def _no_number(made: Dataset) -> None:
    del made.NumberOfFrames


def _short(made: Dataset) -> None:
    made["PixelData"].value = made.PixelData[:-2]


def _too_many(made: Dataset) -> None:
    made.NumberOfFrames = 129


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_one_frame_less, "functional_groups"),
        (_no_shared, "functional_groups"),
        (_two_shared, "functional_groups"),
        (_no_frames, "functional_groups"),
        (_no_number, "functional_groups"),
        (_short, "pixel_length"),
        (_too_many, "frame_limit"),
    ],
)
def test_an_object_that_cannot_be_divided_is_refused_once(
    change: Callable[[Dataset], None], code: str
) -> None:
    """What is wrong with the object is one verdict about the object."""
    (decoded,) = decode_frames(make_enhanced(3, change=change))
    assert [(item.code, item.action) for item in decoded.violations] == [(code, Action.REJECT)]
    assert (decoded.frame, decoded.frames) == (None, 1)
    assert decoded.identity.sop_instance_uid == sop_uid(0)


def test_a_group_that_is_there_twice_is_refused() -> None:
    """Shared and per-frame orientation could contradict each other (PS3.3 C.7.6.16)."""

    def change(made: Dataset) -> None:
        own = made.PerFrameFunctionalGroupsSequence[0].PlaneOrientationSequence
        made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence = own
        del made.PerFrameFunctionalGroupsSequence[1].PlaneOrientationSequence

    found = list(decode_frames(make_enhanced(2, change=change)))
    assert [codes(item) for item in found] == [["functional_groups"], []]


@pytest.mark.parametrize("offsets", [[0, 0, 8], [0, 7, 9], [8, 9, 10], [0, 1]])
def test_an_offset_table_that_points_elsewhere_is_refused(offsets: list[int]) -> None:
    """Offsets that hit no fragment, repeat or miss a frame are not guessed around."""

    def change(made: Dataset) -> None:
        made.ExtendedOffsetTable = struct.pack(f"<{len(offsets)}Q", *offsets)
        made.ExtendedOffsetTableLengths = bytes(8 * len(offsets))

    (decoded,) = decode_frames(make_enhanced(3, transfer_syntax=RLE, change=change))
    assert codes(decoded) == ["frame_offsets"]


def test_fragments_without_a_table_must_be_one_a_frame() -> None:
    """Two fragments for three frames cannot be divided."""

    def change(made: Dataset) -> None:
        made.PixelData = b"".join(bytes(512 * 512 * 2) for _ in range(2))
        compress(made, lambda parts: (with_basic_table(parts)[0], None))

    (decoded,) = decode_frames(make_enhanced(3, transfer_syntax=RLE, change=change))
    assert codes(decoded) == ["frame_offsets"]


def test_a_refused_syntax_is_said_alone() -> None:
    """The header of an object that is not taken apart lacks what its frames have."""
    body = make_enhanced(2)
    declared = body.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0", 1)
    (decoded,) = decode_frames(declared)
    assert codes(decoded) == ["transfer_syntax"]
