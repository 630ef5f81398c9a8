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
    predictor.hold()
    async with serving(predictor) as batcher:
        busy = asyncio.create_task(score(batcher, [0]))
        await until(lambda: predictor.batches == [[0]])
        with batcher.admit(1) as admission:
            gone = asyncio.create_task(admission.submit(make_slice(1), in_s(0.05)))
            await asyncio.sleep(0.01)
            if leave == "cancel":
                gone.cancel()
            else:
                time.sleep(0.06)
            predictor.released.set()
            time.sleep(0.05)  # the engine thread takes its next batch; the loop stands still
            await asyncio.wait([gone])
        await busy
        await score(batcher, [2])
    assert predictor.executed == [0, 2]
    assert gone.cancelled() or isinstance(gone.exception(), DeadlineExceeded)


async def test_next_batch_needs_no_event_loop(predictor: FakePredictor) -> None:
    """While slices wait, forward follows forward although the loop is busy with something else."""
    predictor.hold()
    async with serving(predictor, max_batch=1) as batcher:
        tasks = [asyncio.create_task(score(batcher, [value])) for value in (0, 1, 2)]
        await until(lambda: batcher.depth == 3 and predictor.batches == [[0]])
        predictor.released.set()
        time.sleep(0.1)  # the loop stands still
        assert predictor.batches == [[0], [1], [2]]
        await asyncio.gather(*tasks)


async def test_results_of_a_batch_come_in_one_call(
    predictor: FakePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many slices a batch has, the loop is woken once for it."""
    loop = asyncio.get_running_loop()
    calls: list[object] = []
    real = loop.call_soon_threadsafe

    def counted(callback: object, *args: object, **options: object) -> asyncio.Handle:
        calls.append(callback)
        return real(callback, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    async with serving(predictor) as batcher:
        assert None not in logits_in(await score(batcher, [1, 2, 3, 4]))
    assert len(calls) == 1


async def test_second_batch_in_flight_is_a_full_one(predictor: FakePredictor) -> None:
    """While one batch runs, an engine that takes two is only given one that nobody could join."""
    predictor.in_flight = 2
    predictor.hold()
    async with serving(predictor, max_batch=2) as batcher:
        tasks = [asyncio.create_task(score(batcher, [0]))]
        await until(lambda: predictor.batches == [[0]])
        tasks.append(asyncio.create_task(score(batcher, [1])))
        await until(lambda: batcher.depth == 2)
        await asyncio.sleep(0.05)
        assert predictor.batches == [[0]]
        tasks.append(asyncio.create_task(score(batcher, [2])))
        await until(lambda: len(predictor.batches) == 2)
        predictor.released.set()
        await asyncio.gather(*tasks)
    assert predictor.batches == [[0], [1, 2]]
    assert predictor.most_at_once == 2


async def test_idle_engine_thread_sleeps(predictor: FakePredictor) -> None:
    """Without work nothing polls: the thread of the engine takes no processor time."""
    async with serving(predictor) as batcher:
        await score(batcher, [1])
        (thread,) = batcher._threads
        clock = time.pthread_getcpuclockid(thread.ident or 0)
        before = time.clock_gettime(clock)
        await asyncio.sleep(0.3)
        assert time.clock_gettime(clock) - before < 0.003
