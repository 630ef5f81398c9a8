"""A job: what a child may say of the frames of an object, and what it may not."""

from __future__ import annotations

import pytest

from service.dicom.child import ChildDied
from service.dicom.job import Job
from service.dicom.violations import DECODER_FAILED
from service.types import Decoded, Identity

UIDS = Identity("1.2.3")


def frame(number: int | None, of: int = 1) -> Decoded:
    """What a child says of one frame."""
    return Decoded(UIDS, None, (), number, of)


def test_a_single_frame_object_is_complete_at_once() -> None:
    """One verdict without a frame number is all there is."""
    job = Job(b"", 8)
    assert not job.complete
    job.take(frame(None))
    assert job.complete
    assert job.result() == frame(None)


def test_frames_are_gathered_on_the_first() -> None:
    """Three frames in order make one verdict with two further ones."""
    job = Job(b"", 8)
    for number in (1, 2, 3):
        assert job.next_frame == number
        job.take(frame(number, 3))
    assert job.complete
    result = job.result()
    assert (result.frame, [item.frame for item in result.further]) == (1, [2, 3])


@pytest.mark.parametrize(
    "said",
    [frame(2, 3), frame(1, 9), frame(1, 0), frame(None, 3), frame(0, 3), frame(-1, 1)],
)
def test_nonsense_about_the_first_frame_is_not_believed(said: Decoded) -> None:
    """Wrong numbers, none, or more frames than may be: the child is of no more use."""
    with pytest.raises(ChildDied):
        Job(b"", 8).take(said)


@pytest.mark.parametrize("said", [frame(1, 3), frame(3, 3), frame(2, 4), frame(None)])
def test_nonsense_about_a_later_frame_is_not_believed(said: Decoded) -> None:
    """The second of three frames is the second of three."""
    job = Job(b"", 8)
    job.take(frame(1, 3))
    with pytest.raises(ChildDied):
        job.take(said)


def test_a_failed_frame_keeps_its_place() -> None:
    """The frame that cost its child is a verdict among the others; they go on behind it."""
    job = Job(b"", 8)
    job.take(frame(1, 3))
    job.fail(DECODER_FAILED)
    assert (job.next_frame, job.complete) == (3, False)
    job.take(frame(3, 3))
    failure = job.result().further[0]
    assert (failure.frame, failure.identity, failure.violations) == (2, UIDS, (DECODER_FAILED,))


def test_an_object_that_fails_at_once_is_one_verdict() -> None:
    """Before the first verdict nobody knows how many frames there are."""
    job = Job(b"", 8)
    job.fail(DECODER_FAILED)
    assert job.complete
    assert job.result().violations == (DECODER_FAILED,)
