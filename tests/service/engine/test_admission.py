"""Tests of admission: places are taken whole, come back always, and are honoured at the stop."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import numpy as np
import pytest

from service.engine.batcher import Batcher
from service.engine.execution import Scored
from service.errors import (
    Draining,
    NotReady,
    QueueFull,
    ServiceError,
)
from tests.service.engine.serving import LONG_S, in_s, logits_in, score, serving, submit_all, until
from tests.service.fakes import POISON, FakePredictor, logits_of, make_slice


async def test_abandoned_running_slice_keeps_its_place(predictor: FakePredictor) -> None:
    """Work that cannot be stopped still counts: its place is free when the forward ends."""
    predictor.hold()
    async with serving(predictor, queue=1) as batcher:
        task = asyncio.create_task(score(batcher, [1]))
        await until(lambda: predictor.batches == [[1]])
        task.cancel()
        await asyncio.wait([task])
        with pytest.raises(QueueFull), batcher.admit(1):
            pass
        predictor.released.set()
        await until(lambda: batcher.depth == 0)
        with batcher.admit(1):
            assert batcher.depth == 1


async def test_overload_is_refused_whole(predictor: FakePredictor) -> None:
    """A request that does not fit takes no place at all, one that does is admitted."""
    async with serving(predictor, queue=4) as batcher:
        with batcher.admit(3):
            with pytest.raises(QueueFull) as refusal, batcher.admit(2):
                pass
            assert refusal.value.retry_after_s
            assert batcher.depth == 3
            with batcher.admit(1):
                assert batcher.depth == 4
        assert batcher.depth == 0


async def test_more_slices_than_places_are_a_mistake(predictor: FakePredictor) -> None:
    """The bound cannot be passed by submitting more than was admitted."""
    async with serving(predictor) as batcher:
        with batcher.admit(1) as admission:
            admission.forgo()
            with pytest.raises(RuntimeError):
                await admission.submit(make_slice(1), in_s(1))


async def test_not_started_is_not_ready(predictor: FakePredictor) -> None:
    """Before its start a batcher admits nothing."""
    batcher = Batcher(predictor, max_batch=1, max_wait_s=0, max_queue=1)
    assert not batcher.running
    with pytest.raises(NotReady), batcher.admit(1):
        pass


async def test_stop_finishes_what_was_admitted(predictor: FakePredictor) -> None:
    """Stopping refuses new requests and answers all that were admitted, queued or not yet."""
    predictor.hold()
    async with serving(predictor, max_batch=2) as batcher:
        with batcher.admit(1) as decoding:
            tasks = [asyncio.create_task(score(batcher, [value])) for value in range(5)]
            await until(lambda: len(predictor.batches) == 1)
            stop = asyncio.create_task(batcher.stop(LONG_S))
            await asyncio.sleep(0)
            assert not batcher.running
            with pytest.raises(Draining), batcher.admit(1):
                pass
            predictor.released.set()
            late = await submit_all(decoding, [9])
        results = [item for task in tasks for item in await task]
        async with asyncio.timeout(5):
            await stop
    assert logits_in(results + late) == [logits_of(v).tolist() for v in (0, 1, 2, 3, 4, 9)]


async def test_stop_fails_the_rest_when_the_grace_is_over(predictor: FakePredictor) -> None:
    """What is not done within the grace fails with a retryable error; the stop does not hang."""
    predictor.hold()
    async with serving(predictor, max_batch=1) as batcher:
        tasks = [asyncio.create_task(score(batcher, [value])) for value in (1, 2)]
        await until(lambda: predictor.batches == [[1]])
        async with asyncio.timeout(5):
            await batcher.stop(0.02)
            results = [(await task)[0] for task in tasks]
        assert batcher.depth == 0
    assert [type(item) for item in results] == [Draining, Draining]


async def test_nothing_leaks_under_mixed_load(predictor: FakePredictor) -> None:
    """After cancels, deadlines, poison and refusals in any order every place is free again."""
    dice = random.Random(7)
    answered = 0

    async def one(batcher: Batcher) -> int:
        values = [dice.choice([1, 2, 3, POISON]) for _ in range(dice.randint(1, 4))]
        with batcher.admit(len(values)) as admission:
            await asyncio.sleep(dice.random() / 100)
            results = await submit_all(admission, values[1:], dice.choice([0.001, 0.01, 5]))
        return sum(isinstance(item, Scored) for item in results)

    async with serving(predictor, wait_s=0.002, queue=32) as batcher:
        for _ in range(20):
            tasks = [asyncio.create_task(one(batcher)) for _ in range(12)]
            await asyncio.sleep(dice.random() / 100)
            for task in dice.sample(tasks, 3):
                task.cancel()
            for task in tasks:
                with suppress(ServiceError, asyncio.CancelledError):
                    answered += await task
        await until(lambda: batcher.depth == 0)
        (after,) = await score(batcher, [5])
    assert answered > 0
    assert isinstance(after, Scored)
    np.testing.assert_array_equal(after.logits, logits_of(5))
