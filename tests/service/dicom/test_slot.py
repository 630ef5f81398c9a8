"""The shared slot: what goes in comes out, and what is no verdict is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

from service.dicom.decode import decode_slice
from service.dicom.slot import BadVerdict, Slot
from tests.factories import make_ct_slice

MAX_BYTES = 1 << 20


@pytest.fixture
def descriptor() -> Iterator[int]:
    """The memory of one slot."""
    number = Slot.create(MAX_BYTES)
    yield number
    os.close(number)


def test_two_mappings_share_body_and_verdict(descriptor: int) -> None:
    """Parent and child see the same body, and the parent gets the child's verdict to the bit."""
    parent, child = Slot(descriptor, MAX_BYTES), Slot(descriptor, MAX_BYTES)
    body = make_ct_slice(KVP="80")
    length = parent.put_body(body)
    with child.body(length) as seen:
        assert bytes(seen) == body
        decoded = decode_slice(seen)
    copy = parent.take_decoded(child.put_decoded(decoded))
    assert copy.identity == decoded.identity
    assert [item.code for item in copy.violations] == ["kvp_range"]
    assert copy.violations == decoded.violations
    assert copy.slice_hu is not None
    assert decoded.slice_hu is not None
    assert copy.slice_hu.window == decoded.slice_hu.window
    assert np.array_equal(copy.slice_hu.voxels_hu, decoded.slice_hu.voxels_hu)
    parent.close()
    child.close()


def test_taken_pixels_are_a_copy(descriptor: int) -> None:
    """The next slice in the slot does not change a result that was taken."""
    slot = Slot(descriptor, MAX_BYTES)
    first = slot.take_decoded(slot.put_decoded(decode_slice(make_ct_slice(seed=1))))
    assert first.slice_hu is not None
    before = first.slice_hu.voxels_hu.copy()
    slot.put_decoded(decode_slice(make_ct_slice(seed=2)))
    assert np.array_equal(first.slice_hu.voxels_hu, before)
    slot.close()


def test_body_over_the_slot_is_refused(descriptor: int) -> None:
    """A body that does not fit cannot run into the pixel area."""
    slot = Slot(descriptor, MAX_BYTES)
    with pytest.raises(ValueError, match="larger"):
        slot.put_body(bytes(MAX_BYTES + 1))
    with pytest.raises(ValueError, match="larger"):
        slot.put_body(b"12", MAX_BYTES - 1)
    slot.close()


def test_body_in_parts_is_the_body(descriptor: int) -> None:
    """Parts that are put one behind the other are one object."""
    slot = Slot(descriptor, MAX_BYTES)
    assert slot.put_body(b"one, ") == 5
    assert slot.put_body(memoryview(b"two"), 5) == 8
    with slot.body(8) as seen:
        assert bytes(seen) == b"one, two"
    slot.close()


@pytest.mark.parametrize("length", [0, 5, 1 << 40])
def test_nonsense_is_no_verdict(descriptor: int, length: int) -> None:
    """Zeros, too little and too much are refused instead of believed."""
    slot = Slot(descriptor, MAX_BYTES)
    with pytest.raises(BadVerdict):
        slot.take_decoded(length)
    slot.close()


def test_the_memory_cannot_be_shrunk(descriptor: int) -> None:
    """A child cannot truncate the memory under its parent."""
    with pytest.raises(OSError, match="not permitted"):
        os.ftruncate(descriptor, 0)
