"""Multi-frame objects: every frame comes out as the single slice that it is, or says why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from service.dicom.decode import decode_frames, decode_slice
from service.dicom.limits import Caps
from service.types import Decoded
from tests.enhanced_ct import (
    LEGACY_CONVERTED,
    compress,
    make_enhanced,
    with_basic_table,
    with_extended_table,
)
from tests.factories import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, RLE, head_hu, sop_uid

ROOMY = Caps(max_inflated_bytes=16 * 1024 * 1024)


def codes(decoded: Decoded) -> list[str]:
    """The codes of a verdict."""
    return [item.code for item in decoded.violations]


def assert_whole(found: list[Decoded], frames: int) -> None:
    """Every frame is classified, with its number and the HU of its own slice."""
    assert [(item.frame, item.frames) for item in found] == [
        (number, frames) for number in range(1, frames + 1)
    ]
    for index, item in enumerate(found):
        assert codes(item) == []
        assert item.slice_hu is not None
        assert np.array_equal(item.slice_hu.voxels_hu, head_hu(512, index))
        assert item.slice_hu.window.center == 35.0
        assert item.identity.sop_instance_uid == sop_uid(0)


@pytest.mark.parametrize("undefined_length", [False, True], ids=["lengths", "delimiters"])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, DEFLATED, RLE])
def test_every_frame_is_the_slice_that_it_was_made_of(syntax: str, undefined_length: bool) -> None:
    """Native and RLE frames, with sequences of either kind, give the HU of single slices."""
    body = make_enhanced(3, transfer_syntax=syntax, undefined_length=undefined_length)
    assert_whole(list(decode_frames(body, ROOMY)), 3)


def test_big_endian_frames() -> None:
    """The retired syntax is read as well."""

    def swap(made: Dataset) -> None:
        made["PixelData"].value = np.frombuffer(made.PixelData, "<u2").astype(">u2").tobytes()

    body = make_enhanced(2, transfer_syntax=BIG_ENDIAN, change=swap)
    assert_whole(list(decode_frames(body)), 2)


@pytest.mark.parametrize("pack", [with_basic_table, with_extended_table], ids=["basic", "extended"])
def test_offset_tables(pack: Callable[..., tuple[bytes, tuple[bytes, bytes] | None]]) -> None:
    """Fragments are found by either table."""

    def change(made: Dataset) -> None:
        made.PixelData = native
        compress(made, pack)

    native = b"".join((head_hu(512, seed) + 1024).astype("<u2").tobytes() for seed in range(3))
    body = make_enhanced(3, transfer_syntax=RLE, change=change)
    assert_whole(list(decode_frames(body)), 3)


def test_a_frame_has_its_own_faults_only() -> None:
    """One frame off axial and one with another slope: the third is classified as ever."""
    fields = [{}, {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, {"RescaleSlope": "0"}]
    found = list(decode_frames(make_enhanced(3, fields=fields)))
    assert [codes(item) for item in found] == [[], ["not_axial"], ["rescale_missing"]]
    assert [item.slice_hu is not None for item in found] == [True, False, False]


def test_shared_groups_reach_every_frame() -> None:
    """Tube voltage and anatomy stand once in the object and are judged for each frame."""

    def change(made: Dataset) -> None:
        shared = made.SharedFunctionalGroupsSequence[0]
        shared.CTXRayDetailsSequence[0].KVP = "80"
        anatomy = shared.FrameAnatomySequence[0].AnatomicRegionSequence[0]
        anatomy.CodeMeaning = "Chest"
        del made.BodyPartExamined

    found = list(decode_frames(make_enhanced(2, change=change)))
    assert [codes(item) for item in found] == [["kvp_range", "body_part"]] * 2


def test_frame_type_is_the_image_type_of_a_frame() -> None:
    """A localizer frame among axial ones is skipped alone."""

    def change(made: Dataset) -> None:
        kind = made.PerFrameFunctionalGroupsSequence[1].CTImageFrameTypeSequence[0]
        kind.FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]

    found = list(decode_frames(make_enhanced(3, change=change)))
    assert [codes(item) for item in found] == [[], ["image_type"], []]


@pytest.mark.parametrize("given", ["YES", "NO"])
def test_contrast_is_told_for_each_frame(given: str) -> None:
    """The agents are listed once; a frame may say that none had arrived yet."""

    def change(made: Dataset) -> None:
        agent, usage = Dataset(), Dataset()
        agent.CodeMeaning = "Iohexol"
        usage.ContrastBolusAgentAdministered = given
        made.ContrastBolusAgentSequence = [agent]
        made.PerFrameFunctionalGroupsSequence[0].ContrastBolusUsageSequence = [usage]

    first, second = decode_frames(make_enhanced(2, change=change))
    assert codes(first) == ([] if given == "NO" else ["contrast_agent"])
    assert codes(second) == ["contrast_agent"]


def test_legacy_converted_keeps_what_had_no_macro() -> None:
    """Attributes that the converter could not place are judged as well."""

    def change(made: Dataset) -> None:
        made.SOPClassUID = LEGACY_CONVERTED
        left = Dataset()
        left.ContrastBolusAgent = "IOHEXOL"
        per_frame = made.PerFrameFunctionalGroupsSequence[1]
        per_frame.UnassignedPerFrameConvertedAttributesSequence = [left]

    found = list(decode_frames(make_enhanced(2, change=change)))
    assert [codes(item) for item in found] == [[], ["contrast_agent"]]


def test_decoding_may_begin_with_a_later_frame() -> None:
    """After a death of its process an object goes on behind the frame that killed it."""
    found = list(decode_frames(make_enhanced(3), first=3))
    assert [(item.frame, item.frames) for item in found] == [(3, 3)]


def test_caps_of_single_slices_hold_for_single_slices_only() -> None:
    """Three frames may be longer than one slice may; the object has a cap of its own."""
    body = make_enhanced(3)
    caps = Caps(max_bytes=1024 * 1024)
    assert len(list(decode_frames(body, caps))) == 3
    (decoded,) = decode_frames(body, replace(caps, max_object_bytes=len(body) - 1))
    assert codes(decoded) == ["too_large"]


def test_training_reads_single_frames() -> None:
    """`decode_slice` says so instead of taking the first frame silently."""
    assert codes(decode_slice(make_enhanced(2))) == ["multi_frame"]
    assert codes(decode_slice(make_enhanced(1))) == []


@pytest.mark.parametrize("name", ["24x38x3", "23x38x3"])
def test_legacy_converted_objects_of_dcmqi(name: str) -> None:
    """Real converted objects are divided; their 24 x 38 pixels are below the least matrix."""
    root = Path(__file__).resolve().parents[4] / "shared" / "data" / "dicom_test_files.tar.xz"
    if not root.is_file():
        pytest.skip("needs dicom_test_files.tar.xz in ../shared/data")
    import tarfile

    with tarfile.open(root) as archive:
        (member,) = (item for item in archive if item.name.endswith(f"{name}/multiframe/mf.dcm"))
        stream = archive.extractfile(member)
        assert stream is not None
        found = list(decode_frames(stream.read()))
    assert [item.frame for item in found] == [1, 2, 3]
    assert all("matrix_size" in codes(item) for item in found)
    assert all("functional_groups" not in codes(item) for item in found)
