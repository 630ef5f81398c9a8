"""Rounds: everything that is measured on one engine, interleaved, and its medians.

start ─> idle ─> rounds: raw 1, raw batch, each load at each concurrency ─> Poisson ─> memory
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from load_tests.payloads import payloads
from load_tests.serve_bench.clients import ask, raw_seconds
from load_tests.serve_bench.launched import Launched
from load_tests.serve_bench.measure import Load, Poisson, Run, closed, idle_share, loads, poisson
from load_tests.serve_bench.queue_model import between
from service.config import available_cores

SINGLE = "http single"
OPEN_SHARE = 0.7  # of the capacity, in the open loop
PROFILE_CALLERS = 8
RAW_S = 2.0  # of back to back forwards, in each round
INSTANT_MS = 0.1  # a forward that takes less is no limit to anything


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, how often and with how many callers."""

    seconds: float = 5.0
    rounds: int = 3
    callers: Sequence[int] = (1, 8, 32, 128)
    open_seconds: float = 30.0
    idle_seconds: float = 20.0
    max_queue: int = 256  # ICH_MAX_QUEUE of the service
    profile_seconds: float = 0.0  # of the event loop under load; 0 for none


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the rounds of one load at one concurrency."""

    load: str
    callers: int
    requests: int
    failures: int
    slices_per_s: float
    served_over_raw: float | None  # None where the engine is no limit
    cores_busy: float  # CPU seconds of all processes and of the client over those of the machine
    p50_ms: float | None
    p99_ms: float | None
    cpu_ms_per_slice: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Raw:
    """The engine alone, in the worker: medians over the rounds."""

    batch: int
    slices_per_s: float
    lone_ms: float
    full_ms: float

    @property
    def limits(self) -> bool:
        """Whether the engine takes any time, so that there is something to compare with."""
        return self.full_ms > INSTANT_MS


@dataclass(frozen=True, slots=True)
class Result:
    """All that was found of one engine."""

    engine: str
    raw: Raw
    rows: Sequence[Row]
    added_p50_ms: float | None  # of a lone request over a forward of its slice
    poisson: Poisson | None
    idle_share: float  # of one core
    memory_mib: Mapping[str, Sequence[tuple[float, float]]]  # RSS and PSS, by role
    profile: str = ""


async def bench(service: Launched, engine: str, plan: Plan) -> Result:
    """Measure a service that has just started."""
    idle = await idle_share(service, plan.idle_seconds)
    each = loads(payloads())
    cells = [(load, callers) for load in each.values() for callers in fitting(load, plan)]
    raws: list[Raw] = []
    runs: dict[tuple[str, int], list[Run]] = {}
    await closed(service, each[SINGLE], 1, min(plan.seconds, 1.0))  # nobody pays for first use
    for _ in range(plan.rounds):
        raws.append(await _raw(service))
        for load, callers in cells:
            run = await closed(service, load, callers, plan.seconds)
            runs.setdefault((load.name, callers), []).append(run)
    rows = [row(name, callers, found, raws) for (name, callers), found in runs.items()]
    raw = middle(raws)
    first = next(row for row in rows if row.load == SINGLE)
    added = None if first.p50_ms is None or first.callers != 1 else first.p50_ms - raw.lone_ms
    capacity = max(row.slices_per_s for row in rows if row.load == SINGLE)
    queue = await _poisson(service, each[SINGLE], raw, capacity, plan) if raw.limits else None
    profile = await _profile(service, each[SINGLE], plan.profile_seconds)
    return Result(engine, raw, rows, added, queue, idle, service.memory_mib(), profile)


async def _profile(service: Launched, load: Load, seconds: float) -> str:
    """What the event loop does under a closed loop of callers; it is slower meanwhile."""
    if not seconds:
        return ""
    under = asyncio.create_task(closed(service, load, PROFILE_CALLERS, seconds + 1))
    told = await ask(service.target, f"/bench/profile?seconds={seconds}")
    await under
    return told.decode()


def fitting(load: Load, plan: Plan) -> list[int]:
    """Numbers of callers whose slices the queue of the service has places for."""
    most = max(plan.max_queue // load.slices, 1)
    return sorted({min(callers, most) for callers in plan.callers})


async def _raw(service: Launched) -> Raw:
    _, lone = await raw_seconds(service.target, 1, RAW_S / 2)
    batch, full = await raw_seconds(service.target, 0, RAW_S / 2)
    return Raw(batch, batch * len(full) / sum(full), median(lone) * 1000, median(full) * 1000)


def middle(raws: Sequence[Raw]) -> Raw:
    """The median of each figure."""
    return Raw(
        raws[0].batch,
        median(raw.slices_per_s for raw in raws),
        median(raw.lone_ms for raw in raws),
        median(raw.full_ms for raw in raws),
    )


def row(load: str, callers: int, runs: Sequence[Run], raws: Sequence[Raw]) -> Row:
    """The median of each figure; a ratio compares the two of one round."""
    ratios = [run.slices_per_s / raw.slices_per_s for run, raw in zip(runs, raws, strict=True)]
    p50, p99 = ([ms for run in runs if (ms := run.ms(share)) is not None] for share in (0.5, 0.99))
    roles = {role for run in runs for role in run.cpu_s_per_slice}
    spent = {r: median(run.cpu_s_per_slice.get(r, 0.0) for run in runs) * 1000 for r in roles}
    return Row(
        load,
        callers,
        sum(len(run.latencies_s) for run in runs),
        sum(run.failures for run in runs),
        median(run.slices_per_s for run in runs),
        median(ratios) if middle(raws).limits else None,
        median(busy(run) for run in runs),
        median(p50) if p50 else None,
        median(p99) if p99 else None,
        dict(sorted(spent.items())),
    )


def busy(run: Run) -> float:
    """Share of the machine's core seconds that were used, by the service and by the client.

    At 1 the ratio to raw is lost to work beside the engine; below 1 cores have waited.
    """
    return sum(run.cpu_s_per_slice.values()) * run.slices_per_s / available_cores()


async def _poisson(service: Launched, load: Load, raw: Raw, capacity: float, plan: Plan) -> Poisson:
    """At a share of what the engine can, or of what was served where that is less."""
    rate = OPEN_SHARE * min(raw.slices_per_s, capacity)
    seconds_of = between(raw.lone_ms / 1000, raw.full_ms / 1000, raw.batch)
    return await poisson(service, load, rate, plan.open_seconds, seconds_of, raw.batch)
