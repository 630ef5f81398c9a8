"""The pool while its processes die: who pays, what the event loop notices, how soon it is whole.

Two measures that do not depend on what else the machine does. A stall of the event loop is the
processor time of its own thread between two ticks; the clock on the wall only has a limit that no
busy machine reaches, for a loop that waits without working. A start is judged by the processor
time of the new process, and by the best of them.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count

import numpy as np
import psutil
import pytest

from service.dicom.decode import decode_slice
from service.types import Decoded
from tests.factories import make_ct_slice
from tests.fuzz.planted import in_the_environment, meets_the_fault
from tests.hostile.envelope import bomb, of_size
from tests.hostile.structure import many_elements
from tests.service.dicom.test_pool import MIB, codes, pids, running, until

TICK_S = 0.005
MAX_STALL_CPU_S = 0.05
MAX_STALL_WALL_S = 2.0
MAX_START_CPU_S = 1.0


@dataclass
class Stalls:
    """The longest time between two ticks of an event loop, s."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@asynccontextmanager
async def ticking() -> AsyncIterator[Stalls]:
    """Tick every 5 ms while the block runs."""
    stalls = Stalls()

    async def tick() -> None:
        while True:
            cpu, wall = time.thread_time(), time.perf_counter()
            await asyncio.sleep(TICK_S)
            stalls.cpu_s = max(stalls.cpu_s, time.thread_time() - cpu)
            stalls.wall_s = max(stalls.wall_s, time.perf_counter() - wall - TICK_S)

    task = asyncio.create_task(tick())
    try:
        yield stalls
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def strike(rng: random.Random, blows: int) -> None:
    """Kill, stop and crash decode processes at random moments."""
    for _ in range(blows):
        await asyncio.sleep(rng.uniform(0.02, 0.15))
        if found := await asyncio.to_thread(pids):  # a walk over /proc would be a stall itself
            number = rng.choice((signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV))
            with suppress(ProcessLookupError):
                os.kill(rng.choice(found), number)


async def test_event_loop_never_stalls_in_a_storm() -> None:
    """Bombs, floods, the longest bodies and dying processes: no tick waits for 50 ms of work."""
    bodies = [bomb(), many_elements(400_000), of_size(64 * MIB), make_ct_slice()] * 3
    async with running(workers=2, timeout_s=2.0, memory_mib=1024) as pool, ticking() as stalls:
        blows = asyncio.create_task(strike(random.Random(3), 5))
        answers = await asyncio.gather(*(pool.decode(body, 240.0) for body in bodies))
        await blows
        await until(lambda: pool.alive == 2, 120.0)
    known = {"inflate_limit", "header_limit", "too_large", "decoder_failed", "decode_timeout"}
    assert {code for answer in answers for code in codes(answer)} <= known
    assert stalls.cpu_s < MAX_STALL_CPU_S
    assert stalls.wall_s < MAX_STALL_WALL_S


async def test_the_ticker_sees_a_stall() -> None:
    """Work and sleep in the loop are both seen, each by its own measure."""
    async with ticking() as stalls:
        await asyncio.sleep(0.02)
        end = time.thread_time() + 2 * MAX_STALL_CPU_S
        while time.thread_time() < end:
            pass
        await asyncio.sleep(0.02)
    assert stalls.cpu_s > MAX_STALL_CPU_S
    async with ticking() as stalls:
        await asyncio.sleep(0.02)
        time.sleep(0.3)
        await asyncio.sleep(0.02)
    assert stalls.wall_s > 0.25


def neighbours() -> tuple[list[bytes], bytes]:
    """Three slices that are well and one that meets a planted fault."""
    good: list[bytes] = []
    struck: list[bytes] = []
    for seed in count():
        body = make_ct_slice(seed=seed)
        (struck if meets_the_fault(body) else good).append(body)
        if struck and len(good) >= 3:
            break
    return good[:3], struck[0]


@pytest.mark.parametrize(
    ("fault", "timeout_s", "code"),
    [("segfault", 60.0, "decoder_failed"), ("hang", 5.0, "decode_timeout")],
)
async def test_fault_in_a_process_costs_its_slice_alone(
    fault: str, timeout_s: float, code: str
) -> None:
    """A native crash and an endless loop cost the slice that causes them, and no other one.

    The neighbours keep their pixels bit for bit.
    """
    good, struck = neighbours()
    with in_the_environment(fault):
        async with running(workers=2, timeout_s=timeout_s) as pool:
            bodies = [good[0], struck, *good[1:]]
            answers = await asyncio.gather(*(pool.decode(body, 240.0) for body in bodies))
    assert codes(answers.pop(1)) == [code]
    for body, answer in zip(good, answers, strict=True):
        assert_equal(answer, decode_slice(body))


def assert_equal(found: Decoded, expected: Decoded) -> None:
    """The same verdict, and the same pixels to the bit."""
    assert (found.identity, found.violations) == (expected.identity, expected.violations)
    assert found.slice_hu is not None
    assert expected.slice_hu is not None
    assert np.array_equal(found.slice_hu.voxels_hu, expected.slice_hu.voxels_hu)


async def test_every_process_killed_at_once_is_replaced() -> None:
    """With nobody left, what waits is decoded by the successors."""
    restarts: list[int] = []
    async with running(workers=2, on_restart=lambda: restarts.append(1)) as pool:
        for pid in pids():
            os.kill(pid, signal.SIGKILL)
        bodies = [make_ct_slice(seed=seed) for seed in range(4)]
        answers = await asyncio.gather(*(pool.decode(body, 240.0) for body in bodies))
        assert [codes(answer) for answer in answers] == [[]] * 4
        await until(lambda: pool.alive == 2, 120.0)
    assert len(restarts) == 2


async def test_successor_starts_within_a_second() -> None:
    """From its start until it can decode, the better of two successors needs under a second."""
    used = []
    async with running() as pool:
        for _ in range(2):
            (old,) = pids()
            os.kill(old, signal.SIGKILL)
            await until(lambda: pool.alive == 1 and pids() not in ([], [old]), 120.0)  # noqa: B023
            times = psutil.Process(pids()[0]).cpu_times()
            used.append(times.user + times.system)
    assert min(used) < MAX_START_CPU_S
