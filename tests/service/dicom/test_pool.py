"""The decode pool under everything that may happen to a process: death, stop, bomb, desertion."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import psutil
import pytest

from service.dicom.child import Child
from service.dicom.decode import decode_slice
from service.dicom.limits import Caps
from service.dicom.pool import DecodePool
from service.errors import DeadlineExceeded, NotReady
from service.types import Decoded, Kind
from tests.factories import DEFLATED, DROP, RLE, make_ct_slice

MIB = 1024 * 1024
LONG_S = 30.0
HUGE = Caps(max_inflated_bytes=2048 * MIB)


@asynccontextmanager
async def running(
    workers: int = 1, timeout_s: float = 20.0, memory_mib: int = 512, **options: Any
) -> AsyncIterator[DecodePool]:
    """A started pool that is stopped whatever happens."""
    caps = options.pop("caps", Caps())
    pool = DecodePool(workers, timeout_s, memory_mib * MIB, caps, **options)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


def deflated(size: int) -> bytes:
    """A file of the deflated syntax that inflates to `size` zeros."""
    packer = zlib.compressobj(1, wbits=-15)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()
    body = make_ct_slice(transfer_syntax=DEFLATED)
    return body[: 144 + int.from_bytes(body[140:144], "little")] + packed


def pids() -> list[int]:
    """The decode processes of this test process."""
    return [child.pid for child in psutil.Process().children() if is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    """Whether a process is one of the pool's and not yet dead."""
    try:
        return "service.dicom.worker" in process.cmdline()
    except psutil.Error:
        return False


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait for a condition that another process brings about."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def codes(decoded: Decoded) -> list[str]:
    """The codes of a verdict."""
    return [item.code for item in decoded.violations]


async def test_pool_equals_in_process_bit_for_bit() -> None:
    """Good, warned, refused and broken objects get the verdict that `decode_slice` gives."""
    bodies = [
        make_ct_slice(seed=1),
        make_ct_slice(seed=2, transfer_syntax=RLE),
        make_ct_slice(RescaleSlope="0.75", KVP="80", WindowWidth=DROP),
        make_ct_slice(Modality="MR"),
        b"no dicom",
        b"",
    ]
    async with running(workers=2) as pool:
        answers = await asyncio.gather(*(pool.decode(body, LONG_S) for body in bodies))
    for body, answer in zip(bodies, answers, strict=True):
        expected = decode_slice(body)
        assert answer.identity == expected.identity
        assert answer.violations == expected.violations
        assert (answer.slice_hu is None) == (expected.slice_hu is None)
        if answer.slice_hu is not None and expected.slice_hu is not None:
            assert answer.slice_hu.window == expected.slice_hu.window
            assert np.array_equal(answer.slice_hu.voxels_hu, expected.slice_hu.voxels_hu)


async def test_more_slices_than_processes_keep_their_own_answers() -> None:
    """Twenty slices through two processes: each caller gets the pixels of its own slice."""
    async with running(workers=2) as pool:
        bodies = [make_ct_slice(seed=seed) for seed in range(20)]
        answers = await asyncio.gather(*(pool.decode(body, LONG_S) for body in bodies))
    for seed, answer in enumerate(answers):
        assert answer.identity == decode_slice(bodies[seed]).identity


async def test_process_killed_while_idle_costs_no_slice() -> None:
    """A process killed between slices is replaced, and the next slice is decoded as ever."""
    restarts: list[int] = []
    async with running(on_restart=lambda: restarts.append(1)) as pool:
        (pid,) = pids()
        os.kill(pid, signal.SIGKILL)
        decoded = await pool.decode(make_ct_slice(), LONG_S)
        assert codes(decoded) == []
        assert pids() != [pid]
    assert restarts == [1]


async def test_process_killed_at_work_costs_its_slice_alone() -> None:
    """A process that dies decoding gives `decoder_failed` for that slice; the next one is well."""
    async with running(memory_mib=2048, caps=HUGE) as pool:
        (pid,) = pids()
        work = asyncio.create_task(pool.decode(deflated(400 * MIB), LONG_S))
        await until(lambda: psutil.Process(pid).memory_info().rss > 150 * MIB)
        os.kill(pid, signal.SIGKILL)
        (failure,) = (await work).violations
        assert (failure.code, failure.kind) == ("decoder_failed", Kind.NOT_ASSESSABLE)
        assert pool.alive == 0
        assert codes(await pool.decode(make_ct_slice(), LONG_S)) == []
        assert pool.alive == 1


async def test_hanging_process_is_killed_at_its_deadline() -> None:
    """A stopped process is killed after the pool's own limit and only its slice times out."""
    async with running(workers=2, timeout_s=3.0) as pool:
        victim = pids()[0]
        os.kill(victim, signal.SIGSTOP)
        bodies = [make_ct_slice(seed=seed) for seed in range(6)]
        answers = await asyncio.gather(*(pool.decode(body, LONG_S) for body in bodies))
        failed = [item for answer in answers for item in answer.violations]
        assert [(item.code, item.kind) for item in failed] == [("decode_timeout", Kind.DEADLINE)]
        await until(lambda: pool.alive == 2)
        assert victim not in pids()


async def test_loop_runs_on_while_a_process_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a start that blocks for three seconds never holds the event loop."""
    async with running(timeout_s=0.5) as pool:
        spawn = Child.spawn

        def slow(*arguments: Any) -> Child:
            time.sleep(3.0)
            return spawn(*arguments)

        monkeypatch.setattr(Child, "spawn", slow)
        os.kill(pids()[0], signal.SIGSTOP)
        work = asyncio.create_task(pool.decode(make_ct_slice(), LONG_S))
        longest = 0.0
        while not work.done() or pool.alive == 0:
            start = time.perf_counter()
            await asyncio.sleep(0.005)
            longest = max(longest, time.perf_counter() - start)
        assert codes(await work) == ["decode_timeout"]
        assert longest < 2.0


async def test_memory_bomb_fails_inside_its_limit() -> None:
    """An object that needs more memory than its process may have fails alone."""
    async with running(memory_mib=300, caps=HUGE) as pool:
        decoded = await pool.decode(deflated(200 * MIB), LONG_S)
        assert codes(decoded) == ["decoder_failed"]
        assert codes(await pool.decode(make_ct_slice(), LONG_S)) == []


async def test_callers_deadline_covers_the_wait() -> None:
    """With the one process busy, a caller with little time left gets `DeadlineExceeded`."""
    async with running() as pool:
        (pid,) = pids()
        os.kill(pid, signal.SIGSTOP)
        first = asyncio.create_task(pool.decode(make_ct_slice(), LONG_S))
        await asyncio.sleep(0.05)
        with pytest.raises(DeadlineExceeded):
            await pool.decode(make_ct_slice(), 0.1)
        os.kill(pid, signal.SIGCONT)
        assert codes(await first) == []
        assert pids() == [pid]


async def test_cancelled_caller_leaves_a_clean_slot() -> None:
    """After its caller is gone the process finishes, and the next slice gets its own pixels."""
    async with running() as pool:
        (pid,) = pids()
        os.kill(pid, signal.SIGSTOP)
        deserted = asyncio.create_task(pool.decode(make_ct_slice(seed=1), LONG_S))
        waiting = asyncio.create_task(pool.decode(make_ct_slice(seed=2), LONG_S))
        await asyncio.sleep(0.05)
        deserted.cancel()
        waiting.cancel()
        os.kill(pid, signal.SIGCONT)
        decoded = await pool.decode(make_ct_slice(seed=3), LONG_S)
        assert decoded.identity == decode_slice(make_ct_slice(seed=3)).identity
        assert decoded.slice_hu is not None
        assert deserted.cancelled()
        assert waiting.cancelled()
        assert pids() == [pid]


async def test_oversized_body_never_reaches_a_process() -> None:
    """A body over the cap is `too_large` at once, even when every process hangs."""
    async with running(caps=Caps(max_bytes=1000, max_object_bytes=1000)) as pool:
        os.kill(pids()[0], signal.SIGSTOP)
        assert codes(await pool.decode(bytes(1001), 0.5)) == ["too_large"]


async def test_stop_leaves_no_process_and_no_descriptor() -> None:
    """Start and stop give back every process and file descriptor."""
    async with running(workers=2):
        assert len(pids()) == 2
    before = psutil.Process().num_fds()
    async with running(workers=2) as pool:
        await pool.decode(make_ct_slice(), LONG_S)
    assert pids() == []
    assert psutil.Process().num_fds() == before
    with pytest.raises(NotReady):
        await pool.decode(make_ct_slice(), 1.0)


async def test_stop_ends_work_in_flight() -> None:
    """A pool that is stopped while a process hangs answers its caller instead of waiting."""
    async with running(timeout_s=60.0) as pool:
        os.kill(pids()[0], signal.SIGSTOP)
        work = asyncio.create_task(pool.decode(make_ct_slice(), 60.0))
        await asyncio.sleep(0.05)
        waiting = [asyncio.create_task(pool.decode(make_ct_slice(), 60.0)) for _ in range(3)]
        await asyncio.sleep(0.05)
        start = time.perf_counter()
    for task in (work, *waiting):
        with pytest.raises(NotReady):
            await task
    assert time.perf_counter() - start < 10.0
