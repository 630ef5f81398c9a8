"""Tests of the batcher: when a batch starts and which slices are in it."""

from __future__ import annotations

import asyncio
import time

import pytest

from service.engine.execution import Scored
from service.errors import DeadlineExceeded
from tests.service.engine.serving import LONG_S, in_s, logits_in, score, serving, submit_all, until
from tests.service.fakes import FakePredictor, logits_of, make_slice


async def test_batch_of_many_equals_single_calls(predictor: FakePredictor) -> None:
    """A batch gives every slice the bits that it gets alone, in the order of the request."""
    values = [5, 3, 9, 1]
    async with serving(predictor) as batcher:
        together = await score(batcher, values)
        alone = [(await score(batcher, [value]))[0] for value in values]
    assert predictor.batches == [[5, 3, 9, 1], [5], [3], [9], [1]]
    assert logits_in(together) == logits_in(alone) == [logits_of(v).tolist() for v in values]


async def test_lone_slice_starts_at_once(predictor: FakePredictor) -> None:
    """With nothing else admitted a slice does not pay the batching wait."""
    async with serving(predictor, wait_s=LONG_S) as batcher, asyncio.timeout(2):
        (result,) = await score(batcher, [4])
    assert isinstance(result, Scored)
    assert (result.batch_size, result.queue_s < 1) == (1, True)


async def test_waits_for_an_admitted_mate(predictor: FakePredictor) -> None:
    """A slice that is still being decoded is waited for, and both run together."""
    async with serving(predictor) as batcher:
        with batcher.admit(2) as admission:
            first = asyncio.create_task(submit_all(admission, [1]))
            await asyncio.sleep(0.02)
            assert predictor.batches == []
            await submit_all(admission, [2])
            await first
    assert predictor.batches == [[1, 2]]


async def test_forgone_mate_is_not_waited_for(predictor: FakePredictor) -> None:
    """When the gate refuses the mate, the waiting slice starts at once."""
    async with serving(predictor) as batcher:
        with batcher.admit(2) as admission:
            first = asyncio.create_task(submit_all(admission, [1]))
            await asyncio.sleep(0.02)
            admission.forgo()
            async with asyncio.timeout(2):
                await first
    assert predictor.batches == [[1]]


async def test_mate_of_a_request_that_ended_is_not_waited_for(predictor: FakePredictor) -> None:
    """A request that ends without using its places does not hold back another."""
    async with serving(predictor) as batcher, asyncio.timeout(2):
        with batcher.admit(3):
            task = asyncio.create_task(score(batcher, [1]))
            await asyncio.sleep(0.02)
            assert predictor.batches == []
        await task
    assert predictor.batches == [[1]]


async def test_oldest_waits_no_longer_than_max_wait(predictor: FakePredictor) -> None:
    """A mate that does not come delays a slice by the configured wait and no more."""
    async with serving(predictor, wait_s=0.05) as batcher:
        with batcher.admit(2) as admission:
            (result,) = await submit_all(admission, [1])
    assert isinstance(result, Scored)
    assert 0.05 <= result.queue_s < 2


async def test_full_batch_starts_although_more_are_expected(predictor: FakePredictor) -> None:
    """A full batch gains nothing by waiting for the rest of its request."""
    async with serving(predictor, max_batch=2) as batcher:
        with batcher.admit(3) as admission:
            async with asyncio.timeout(2):
                await submit_all(admission, [1, 2])
    assert predictor.batches == [[1, 2]]


async def test_batch_is_formed_when_the_engine_is_free(predictor: FakePredictor) -> None:
    """Requests that came during a forward share the next one, up to the engine's own limit."""
    predictor.max_batch = 3
    predictor.hold()
    async with serving(predictor, max_batch=8) as batcher:
        tasks = [asyncio.create_task(score(batcher, [0]))]
        await until(lambda: predictor.batches == [[0]])
        tasks += [asyncio.create_task(score(batcher, [value])) for value in (1, 2, 3, 4)]
        await until(lambda: batcher.depth == 5)
        predictor.released.set()
        await asyncio.gather(*tasks)
    assert predictor.batches == [[0], [1, 2, 3], [4]]
    assert predictor.most_at_once == 1


async def test_deadline_in_the_queue_costs_no_forward(predictor: FakePredictor) -> None:
    """A slice whose deadline passes while it waits is answered then, and never runs."""
    predictor.hold()
    async with serving(predictor) as batcher:
        busy = asyncio.create_task(score(batcher, [0]))
        await until(lambda: predictor.batches == [[0]])
        with batcher.admit(1) as admission:
            (late,) = await submit_all(admission, [1], deadline_s=0.02)
        assert isinstance(late, DeadlineExceeded)
        assert batcher.depth == 1
        predictor.released.set()
        await busy
        await score(batcher, [2])
    assert predictor.executed == [0, 2]


async def test_cancelled_slice_costs_no_forward(predictor: FakePredictor) -> None:
    """Of many callers that leave while waiting, none of their slices runs."""
    predictor.hold()
    async with serving(predictor) as batcher:
        busy = asyncio.create_task(score(batcher, [0]))
        await until(lambda: predictor.batches == [[0]])
        gone = [asyncio.create_task(score(batcher, [value])) for value in range(1, 31)]
        await until(lambda: batcher.depth == 31)
        for task in gone:
            task.cancel()
        await asyncio.wait(gone)
        assert batcher.depth == 1
        predictor.released.set()
        await busy
    assert all(task.cancelled() for task in gone)
    assert predictor.executed == [0]


@pytest.mark.parametrize("leave", ["deadline", "cancel"])
async def test_slice_given_up_in_the_same_instant_is_left_out(
    predictor: FakePredictor, leave: str
) -> None:
    """A batch formed before the loop could tell the caller still leaves the dead slice out."""
    async with serving(predictor) as batcher:
        with batcher.admit(2) as admission:
            gone = asyncio.create_task(admission.submit(make_slice(1), in_s(0.05)))
            await asyncio.sleep(0.01)
            admission.forgo()  # the engine may start, but has not yet run
            if leave == "cancel":
                gone.cancel()
            else:
                time.sleep(0.06)
            await asyncio.wait([gone])
    assert predictor.batches == []
    assert gone.cancelled() or isinstance(gone.exception(), DeadlineExceeded)
