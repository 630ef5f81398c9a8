"""Serving: a started batcher around the fake engine, and whole requests to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from service.engine.batcher import Admission, Batcher
from service.engine.execution import Scored
from tests.service.fakes import FakePredictor, make_slice

LONG_S = 60.0  # a wait that a test never sits through


def in_s(seconds: float) -> float:
    """A deadline that many seconds from now."""
    return asyncio.get_running_loop().time() + seconds


@asynccontextmanager
async def serving(
    predictor: FakePredictor, *, max_batch: int = 8, wait_s: float = LONG_S, queue: int = 64
) -> AsyncIterator[Batcher]:
    """A started batcher that is stopped at once at the end."""
    batcher = Batcher(predictor, max_batch=max_batch, max_wait_s=wait_s, max_queue=queue)
    batcher.start()
    try:
        yield batcher
    finally:
        await batcher.stop(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until the condition holds; five seconds at most."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def submit_all(
    admission: Admission, values: list[int], deadline_s: float = LONG_S
) -> list[Scored | BaseException]:
    """Submit slices of these values at once; results or errors in the same order."""
    deadline = in_s(deadline_s)
    jobs = [admission.submit(make_slice(value), deadline) for value in values]
    return await asyncio.gather(*jobs, return_exceptions=True)


async def score(batcher: Batcher, values: list[int]) -> list[Scored | BaseException]:
    """One whole request."""
    with batcher.admit(len(values)) as admission:
        return await submit_all(admission, values)


def logits_in(results: list[Scored | BaseException]) -> list[list[float] | None]:
    """The logits of each result, None for an error."""
    return [item.logits.tolist() if isinstance(item, Scored) else None for item in results]
