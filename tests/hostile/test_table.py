"""The table of hostile objects through the real decode pool: the right verdict, cheaply."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from service.api.problem import STATUS
from service.dicom.limits import MIB, Caps
from service.dicom.pool import DecodePool
from service.errors import worst_kind
from service.types import Action, Decoded, Violation
from tests.hostile.case import Case
from tests.hostile.generate import CASES, write

# Processor time, not wall time: it is the same on a machine that does other things as well.
MAX_CPU_S = 1.0
MAX_GROWTH = 64 * MIB


def blocking(decoded: Decoded) -> list[Violation]:
    """What keeps the object from being scored."""
    return [item for item in decoded.violations if item.action in (Action.REJECT, Action.SKIP)]


def status_of(decoded: Decoded) -> int:
    """The HTTP status of a request with this object alone."""
    found = blocking(decoded)
    return STATUS[worst_kind(found)] if found else 200


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[DecodePool]:
    """One process with the memory of a service, and a deadline that only a hang exceeds."""
    running = DecodePool(1, 20.0, 1024 * MIB, Caps())
    await running.start()
    yield running
    await running.stop()


def worker() -> psutil.Process:
    """The decode process of this test process."""
    children = psutil.Process().children()
    (found,) = (child for child in children if "service.dicom.worker" in child.cmdline())
    return found


def cpu_s(process: psutil.Process) -> float:
    """Processor time of a process so far, s."""
    times = process.cpu_times()
    return float(times.user + times.system)


def memory(process: psutil.Process, field: str) -> int:
    """`VmRSS` or `VmHWM` (its peak since the last reset) of a process, bytes."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {field}")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_verdict(pool: DecodePool, case: Case) -> None:
    """Status and code of the table, under a second of CPU and 64 MiB, and the process lives."""
    process = worker()
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak starts anew (proc(5))
    before, used = memory(process, "VmRSS"), cpu_s(process)
    decoded = await pool.decode(case.build(), 30.0)
    codes = [item.code for item in blocking(decoded)]
    assert status_of(decoded) == case.status, codes
    assert not case.code or case.code in codes
    assert cpu_s(process) - used < MAX_CPU_S
    assert memory(process, "VmHWM") - before < MAX_GROWTH
    assert worker().pid == process.pid


@pytest.mark.asyncio(loop_scope="module")
async def test_objects_side_by_side_get_the_same_verdicts(pool: DecodePool) -> None:
    """All at once, every object still gets its own verdict: nothing of a neighbour leaks in."""
    bodies = [case.build() for case in CASES[::4]]
    answers = await asyncio.gather(*(pool.decode(body, 60.0) for body in bodies))
    found = [status_of(answer) for answer in answers]
    assert found == [case.status for case in CASES[::4]]


def test_names_are_unique() -> None:
    """Two rows with one name could not be told apart in a report."""
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_files_of_the_command(tmp_path: Path) -> None:
    """The command writes one file per row, under names that nothing has to be quoted for."""
    written = write(tmp_path / "hostile")
    assert tuple(written.values()) == CASES
    assert {path.name for path in (tmp_path / "hostile").iterdir()} == set(written)
