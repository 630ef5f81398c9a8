"""Tests of execution: a fault reaches the slices that cause it and no other."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import (
    DeadlineExceeded,
    EngineFailure,
)
from tests.service.engine.serving import LONG_S, in_s, logits_in, score, serving
from tests.service.fakes import INFINITE, NAN, POISON, FakePredictor, logits_of, make_slice


async def test_poison_fails_alone(predictor: FakePredictor) -> None:
    """When a forward raises, its slices run singly and only the guilty one fails."""
    async with serving(predictor) as batcher:
        results = await score(batcher, [1, POISON, 3])
        assert batcher.running
    assert predictor.batches == [[1, POISON, 3], [1], [POISON], [3]]
    assert isinstance(results[1], EngineFailure)
    assert logits_in(results) == [logits_of(1).tolist(), None, logits_of(3).tolist()]


async def test_lone_poison_runs_once(predictor: FakePredictor) -> None:
    """A batch of one that raised is not tried again."""
    async with serving(predictor) as batcher:
        (result,) = await score(batcher, [POISON])
    assert isinstance(result, EngineFailure)
    assert predictor.batches == [[POISON]]


@pytest.mark.parametrize("bad", [NAN, INFINITE], ids=["nan", "infinite"])
async def test_value_that_is_not_finite_is_an_error(predictor: FakePredictor, bad: int) -> None:
    """A slice whose logits are not all finite fails; its batch mates are answered."""
    async with serving(predictor) as batcher:
        results = await score(batcher, [1, bad, 3])
    assert isinstance(results[1], EngineFailure)
    assert logits_in(results) == [logits_of(1).tolist(), None, logits_of(3).tolist()]
    assert predictor.batches == [[1, bad, 3]]


async def test_wrong_number_of_rows_fails_all(predictor: FakePredictor) -> None:
    """When rows cannot be told apart nobody gets an answer, and nothing is run again."""
    predictor.extra_rows = 1
    async with serving(predictor) as batcher:
        results = await score(batcher, [1, 2])
    assert [type(item) for item in results] == [EngineFailure, EngineFailure]
    assert predictor.batches == [[1, 2]]


async def test_abandoned_slice_is_not_run_again(predictor: FakePredictor) -> None:
    """After a failed batch only the slices that somebody still waits for run singly."""
    predictor.hold()
    async with serving(predictor) as batcher:
        with batcher.admit(3) as admission:
            jobs = [
                asyncio.create_task(admission.submit(make_slice(value), in_s(within_s)))
                for value, within_s in ((POISON, LONG_S), (1, 0.02), (2, LONG_S))
            ]
            await asyncio.wait([jobs[1]])
            predictor.released.set()
            await asyncio.wait(jobs)
    assert predictor.batches == [[POISON, 1, 2], [POISON], [2]]
    assert isinstance(jobs[1].exception(), DeadlineExceeded)
