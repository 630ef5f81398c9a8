"""gRPC load: the two loops against a call of known duration, and the Poisson clock."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from load_tests.grpc_load import closed_loop, open_loop, schedule


def test_schedule_has_the_asked_rate_and_spread() -> None:
    """At 100 per second for 100 s: about 10,000 times, gaps with mean and deviation of 10 ms."""
    times = list(schedule(100.0, 100.0))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert len(times) == pytest.approx(10_000, rel=0.05)
    assert deviation == pytest.approx(0.01, rel=0.05)
    assert times == sorted(times)
    assert times[-1] < 100.0


async def test_open_loop_sees_the_queue_behind_a_stall() -> None:
    """One server, 50 ms a call, three calls due at once: at least 50, 100 and 150 ms."""
    server = asyncio.Lock()

    async def call() -> bool:
        async with server:
            await asyncio.sleep(0.05)
        return True

    samples = await open_loop(call, [0.0, 0.0, 0.0])
    latencies = sorted(sample.latency_s for sample in samples)
    # Lower bounds only: a busy machine is late, never early.
    assert all(got > 0.05 * turn - 0.005 for turn, got in enumerate(latencies, start=1))


async def test_open_loop_counts_from_the_planned_time() -> None:
    """A generator that was blocked for 100 ms adds that to the latency of the call it delayed."""

    async def call() -> bool:
        await asyncio.sleep(0)
        return True

    late = await open_loop(call, [-0.1])
    assert late[0].latency_s >= 0.1


async def test_closed_loop_keeps_its_callers_busy_and_keeps_failures() -> None:
    """Two callers, 20 ms a call, 200 ms: at most ten calls and a last one each, all failed."""

    async def call() -> bool:
        await asyncio.sleep(0.02)
        return False

    samples = await closed_loop(call, 2, 0.2)
    assert 2 <= len(samples) <= 22
    assert all(sample.latency_s > 0.015 for sample in samples)
    assert not any(sample.ok for sample in samples)
