"""The decode process: what it is allowed, what it ignores, and that it outlives nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]
MIB = 1024 * 1024
PARENT = """
import asyncio, os, sys
from service.dicom.limits import Caps
from service.dicom.pool import DecodePool
from tests.factories import make_ct_slice

async def main():
    pool = DecodePool(2, 30.0, 512 * 1024 * 1024, Caps())
    await pool.start()
    await pool.decode(make_ct_slice(), 30.0)
    print("ready", flush=True)
    await asyncio.sleep(120)

asyncio.run(main())
"""


@pytest.fixture
def parent() -> Iterator[psutil.Process]:
    """A separate process with a pool of two decode processes."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "ICH_CANARY": "secret"}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield psutil.Process(process.pid)
        process.kill()


def gone(processes: list[psutil.Process], timeout_s: float = 10.0) -> bool:
    """Whether all end within the time (a zombie waiting for init counts as ended)."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if all(not p.is_running() or p.status() == psutil.STATUS_ZOMBIE for p in processes):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_killed_parent_leaves_no_orphan(parent: psutil.Process, stopped: bool) -> None:
    """After kill -9 of the parent its decode processes end, even one that is stopped."""
    children = parent.children()
    assert len(children) == 2
    if stopped:
        children[0].send_signal(signal.SIGSTOP)
    parent.kill()
    assert gone(children)


def test_termination_is_the_parents_decision(parent: psutil.Process) -> None:
    """SIGTERM and SIGINT, which a terminal or a container sends to all, do not end a decode."""
    children = parent.children()
    for child in children:
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGINT)
    assert not gone(children, timeout_s=0.5)


def test_confinement(parent: psutil.Process) -> None:
    """A decode process has its memory bound, no core dumps, one thread, no terminal, no secrets."""
    for child in parent.children():
        assert child.rlimit(psutil.RLIMIT_AS) == (512 * MIB, 512 * MIB)
        assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
        assert child.num_threads() == 1
        assert os.getsid(child.pid) == child.pid
        assert "ICH_CANARY" not in child.environ()
        open_files = {Path(f"/proc/{child.pid}/fd/{number}").readlink() for number in range(3)}
        assert open_files == {Path("/dev/null")}
