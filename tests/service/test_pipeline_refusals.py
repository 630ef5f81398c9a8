"""Tests of the pipeline: what ends a whole request, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import (
    DeadlineExceeded,
    Draining,
    EmptyRequest,
    QueueFull,
    TooManySlices,
)
from service.types import (
    Action,
    Decoded,
    HuSlice,
)
from tests.service.fakes import (
    make_violation,
)
from tests.service.room import UIDS, Room


def refusal(action: Action, slice_hu: HuSlice | None = None) -> Decoded:
    """A decoded object with one violation of that action."""
    return Decoded(UIDS, slice_hu, (make_violation(action),))


@pytest.mark.parametrize("bodies", [(), (b"",), (b"", b"")], ids=["none", "empty", "two empty"])
async def test_request_without_a_byte_is_refused(room: Room, bodies: tuple[bytes, ...]) -> None:
    """Nothing to classify ends the request before anything is decoded."""
    with pytest.raises(EmptyRequest):
        await room.classify(*bodies)
    assert room.decoder.calls == 0


async def test_number_of_files_is_limited(room: Room) -> None:
    """The limit itself passes, one more is refused whole."""
    assert len((await room.classify(*[b"1"] * 8)).slices) == 8
    with pytest.raises(TooManySlices):
        await room.classify(*[b"1"] * 9)
    assert room.decoder.calls == 8


async def test_full_queue_is_refused_before_decoding(room: Room) -> None:
    """Work that will be refused is not begun."""
    with room.batcher.admit(7), pytest.raises(QueueFull):
        await room.classify(b"1", b"2")
    assert (room.decoder.calls, room.batcher.depth) == (0, 0)


async def test_stopped_batcher_means_draining(room: Room) -> None:
    """After the stop the pipeline is not ready and refuses with the retryable error."""
    assert room.pipeline.ready
    await room.batcher.stop(0)
    assert not room.pipeline.ready
    with pytest.raises(Draining):
        await room.classify(b"1")


@pytest.mark.parametrize(
    "bodies", [(b"1",), (b"2",), (b"1", b"2")], ids=("decode", "queue", "both")
)
async def test_deadline_ends_the_whole_request(room: Room, bodies: tuple[bytes, ...]) -> None:
    """A late slice, in decode or queued, fails the request at its deadline and never runs."""
    room.decoder.delays_s[b"1"] = 5.0
    room.predictor.hold()
    busy = asyncio.create_task(room.classify(b"0"))
    while not room.predictor.batches:
        await asyncio.sleep(0.001)
    async with asyncio.timeout(2):
        with pytest.raises(DeadlineExceeded):
            await room.classify(*bodies, within_s=0.05)
    assert room.batcher.depth == 1
    room.predictor.released.set()
    await busy
    assert room.predictor.executed == [0]


async def test_passed_deadline_starts_nothing(room: Room) -> None:
    """A request that arrives too late is not decoded."""
    with pytest.raises(DeadlineExceeded):
        await room.classify(b"1", within_s=0.0)
    assert room.decoder.calls == 0


async def test_disconnect_takes_back_queued_work(room: Room) -> None:
    """Cancelling the call removes its queued slices, and the cancellation is passed on."""
    room.predictor.hold()
    busy = asyncio.create_task(room.classify(b"0"))
    while not room.predictor.batches:
        await asyncio.sleep(0.001)
    gone = asyncio.create_task(room.classify(b"1", b"2"))
    while room.batcher.depth < 3:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    gone.cancel()
    await asyncio.wait([gone])
    assert gone.cancelled()
    room.predictor.released.set()
    await busy
    assert (room.predictor.executed, room.batcher.depth) == ([0], 0)


async def test_mistake_in_the_decoder_is_not_hidden(room: Room) -> None:
    """An unexpected error of one slice ends the request as itself and frees every place."""
    room.decoder.outcomes[b"9"] = KeyError("mistake")
    with pytest.raises(KeyError):
        await room.classify(b"1", b"9")
    assert room.batcher.depth == 0
