"""Measure: one run of one load against a launched service, closed or open loop.

closed: n callers, each sends its next request when the last one has answered
open:   a Poisson clock; latency counts from the scheduled send time
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice

from load_tests.grpc_load import open_loop, schedule
from load_tests.serve_bench import clients
from load_tests.serve_bench.clients import Call
from load_tests.serve_bench.launched import Launched
from load_tests.serve_bench.queue_model import simulate
from load_tests.summary import percentile
from load_tests.target import Target

SERIES = 36  # slices of a usual head series
CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of request, of `slices` slices, and how to become a caller of it."""

    name: str
    slices: int
    caller: Callable[[Target], AbstractAsyncContextManager[Call]]


@dataclass(frozen=True, slots=True)
class Run:
    """What one run gave; CPU seconds by role of the process, the client's own among them."""

    latencies_s: Sequence[float]
    failures: int
    slices_per_s: float
    cpu_s_per_slice: Mapping[str, float]

    def ms(self, share: float) -> float | None:
        """Nearest-rank percentile of the latency, ms."""
        found = percentile(self.latencies_s, share)
        return None if found is None else found * 1000


def loads(bodies: Sequence[bytes]) -> dict[str, Load]:
    """The four kinds of request, by name."""
    series = list(islice(cycle(bodies), SERIES))
    raw = [clients.raw_request(body) for body in bodies]
    form = [clients.form_request(series)]
    found = (
        Load("http single", 1, partial(clients.http, requests=raw, slices=1)),
        Load("http series", SERIES, partial(clients.http, requests=form, slices=SERIES)),
        Load("grpc unary", 1, partial(clients.unary, slices=bodies)),
        Load("grpc stream", SERIES, partial(clients.stream, slices=series)),
    )
    return {load.name: load for load in found}


async def closed(service: Launched, load: Load, callers: int, seconds: float) -> Run:
    """Keep so many requests in flight for that long; what is in flight at the end is waited for."""
    latencies: list[float] = []
    failures = 0

    async def keep_asking(call: Call, until: float) -> None:
        nonlocal failures
        while (sent := time.perf_counter()) < until:
            if await call():
                latencies.append(time.perf_counter() - sent)
            else:
                failures += 1

    async with AsyncExitStack() as stack:
        each = [
            await stack.enter_async_context(load.caller(service.target)) for _ in range(callers)
        ]
        before, begun = _cpu(service), time.perf_counter()
        await asyncio.gather(*(keep_asking(call, begun + seconds) for call in each))
        took, after = time.perf_counter() - begun, _cpu(service)
    slices = max(load.slices * len(latencies), 1)
    spent = {role: (used - before.get(role, 0.0)) / slices for role, used in after.items()}
    return Run(latencies, failures, load.slices * len(latencies) / took, spent)


def _cpu(service: Launched) -> dict[str, float]:
    return service.cpu_s() | {CLIENT: time.process_time()}


@dataclass(frozen=True, slots=True)
class Poisson:
    """An open-loop run and the simulation of the same arrivals; milliseconds."""

    rate: float  # requests/s
    requests: int
    failures: int
    p50_ms: float | None
    p99_ms: float | None
    ideal_p50_ms: float | None
    ideal_p99_ms: float | None


async def poisson(
    service: Launched,
    load: Load,
    rate: float,
    seconds: float,
    seconds_of: Callable[[int], float],
    max_batch: int,
) -> Poisson:
    """Send single slices at a rate of requests/s, and simulate the queue for the same clock."""
    times = list(schedule(rate, seconds))
    async with _pooled(service.target, load) as call:
        samples = await open_loop(call, times)
    found = [sample.latency_s * 1000 for sample in samples if sample.ok]
    ideal = [latency * 1000 for latency in simulate(times, seconds_of, max_batch)]
    return Poisson(
        rate,
        len(samples),
        len(samples) - len(found),
        percentile(found, 0.5),
        percentile(found, 0.99),
        percentile(ideal, 0.5),
        percentile(ideal, 0.99),
    )


@asynccontextmanager
async def _pooled(target: Target, load: Load) -> AsyncIterator[Call]:
    """A call that takes an idle connection, or a new one when all are busy."""
    idle: list[Call] = []
    async with AsyncExitStack() as stack:

        async def call() -> bool:
            if not idle:
                idle.append(await stack.enter_async_context(load.caller(target)))
            one = idle.pop()
            try:
                return await one()
            finally:
                idle.append(one)

        yield call


async def idle_share(service: Launched, seconds: float) -> float:
    """CPU seconds per second of all processes of the service while nobody asks anything."""
    before = sum(service.cpu_s().values())
    await asyncio.sleep(seconds)
    return (sum(service.cpu_s().values()) - before) / seconds
