"""Multi-frame objects in the decode pool: every frame comes back, a death costs its own only."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import numpy as np
import psutil
import pytest

from service.dicom.child import Child, ChildDied
from service.dicom.decode import decode_frames
from service.dicom.limits import Caps
from service.dicom.pool import DecodePool
from service.types import Decoded
from tests.enhanced_ct import make_enhanced
from tests.factories import make_ct_slice

MIB = 1024 * 1024
LONG_S = 60.0


@pytest.fixture
async def pool() -> AsyncIterator[DecodePool]:
    """Two decode processes."""
    made = DecodePool(2, 30.0, 768 * MIB, Caps())
    await made.start()
    yield made
    await made.stop()


def shared_bytes() -> int:
    """Memory of this process that it shares with others."""
    return int(psutil.Process().memory_info().shared)


async def test_frames_equal_those_decoded_here(pool: DecodePool) -> None:
    """Numbers, identity, verdicts and pixels of each frame are those of `decode_frames`."""
    fields = [{}, {"KVP": "80", "RescaleSlope": "0"}, {}]
    body = make_enhanced(3, fields=fields)
    first = await pool.decode(body, LONG_S)
    for given, expected in zip((first, *first.further), decode_frames(body), strict=True):
        assert (given.frame, given.frames) == (expected.frame, 3)
        assert given.identity == expected.identity
        assert given.violations == expected.violations
        assert (given.slice_hu is None) == (expected.slice_hu is None)
        if given.slice_hu is not None and expected.slice_hu is not None:
            assert np.array_equal(given.slice_hu.voxels_hu, expected.slice_hu.voxels_hu)


async def test_a_death_costs_one_frame(pool: DecodePool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is killed between two frames: one `decoder_failed`, the others are there."""
    ask = Child.next_frame
    killed: list[int] = []

    async def deadly(self: Child) -> Decoded:
        if not killed:
            killed.append(self.process.pid)
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise ChildDied
        return await ask(self)

    monkeypatch.setattr(Child, "next_frame", deadly)
    first = await pool.decode(make_enhanced(4), LONG_S)
    found = [first, *first.further]
    assert [item.frame for item in found] == [1, 2, 3, 4]
    assert [[each.code for each in item.violations] for item in found] == [
        [],
        ["decoder_failed"],
        [],
        [],
    ]
    assert [item.slice_hu is not None for item in found] == [True, False, True, True]


async def test_a_deserted_object_stops_at_its_next_frame(
    pool: DecodePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the caller is gone no further frame is asked for, and the process is free again."""
    asked: list[int] = []
    ask, go_on = Child.next_frame, asyncio.Event()

    async def slow(self: Child) -> Decoded:
        asked.append(1)
        await go_on.wait()
        return await ask(self)

    monkeypatch.setattr(Child, "next_frame", slow)
    work = asyncio.create_task(pool.decode(make_enhanced(4), LONG_S))
    while not asked:
        await asyncio.sleep(0.01)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    go_on.set()
    answers = await asyncio.gather(*(pool.decode(make_ct_slice(), LONG_S) for _ in range(4)))
    assert all(item.slice_hu is not None for item in answers)
    assert len(asked) == 1


async def test_a_long_object_leaves_its_memory(pool: DecodePool) -> None:
    """Shared memory of an object of 40 MiB is given back, not kept in the slot."""
    before = shared_bytes()
    decoded = await pool.decode(make_enhanced(1) + bytes(40 * MIB), LONG_S)
    assert decoded.slice_hu is not None
    assert shared_bytes() - before < 16 * MIB
