"""One run of a load, against callers and a service that are not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from load_tests.serve_bench.clients import Call, form_request, raw_request
from load_tests.serve_bench.measure import Load, closed, loads, poisson
from load_tests.target import Target


class Absent:
    """A service whose worker uses 10 ms of processor time between two looks."""

    target = Target("127.0.0.1", 1, 2)
    looked = 0

    def cpu_s(self) -> dict[str, float]:
        """Seconds so far."""
        self.looked += 1
        return {"worker": 0.01 * self.looked}


class Callers:
    """Callers that take 20 ms, fail every third time, and are counted."""

    opened = 0
    at_once = 0
    most_at_once = 0
    asked = 0

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Call]:
        """Become a caller."""
        self.opened += 1

        async def call() -> bool:
            self.asked += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            good = self.asked % 3 != 0
            await asyncio.sleep(0.02)
            self.at_once -= 1
            return good

        yield call


async def test_closed_loop_counts_what_was_answered() -> None:
    """Failures are no answers; CPU is per answered slice."""
    callers, service = Callers(), Absent()
    load = Load("some", 2, callers.open)
    run = await closed(service, load, 3, 0.1)  # type: ignore[arg-type]
    assert callers.opened == callers.most_at_once == 3
    assert len(run.latencies_s) + run.failures == callers.asked
    assert run.failures == callers.asked // 3
    assert min(run.latencies_s) >= 0.02
    expected = 0.01 / (2 * len(run.latencies_s))
    assert abs(run.cpu_s_per_slice["worker"] - expected) < 1e-9
    assert run.cpu_s_per_slice["client"] >= 0


async def test_open_loop_opens_callers_as_they_are_needed() -> None:
    """At 200/s and 20 ms several are busy at once; idle ones are used again."""
    callers: Any = Callers()
    load = Load("some", 1, callers.open)
    found = await poisson(Absent(), load, 200.0, 0.5, lambda size: 0.02, 64)  # type: ignore[arg-type]
    assert found.requests == callers.asked > 50
    assert 1 < callers.opened < callers.asked / 2
    assert found.failures == callers.asked // 3
    assert found.p50_ms is not None
    assert found.ideal_p50_ms is not None
    assert found.p50_ms >= 20
    assert 20 <= found.ideal_p50_ms <= 40


def test_requests_are_whole() -> None:
    """Content-Length is that of the body; a form has one part for each slice."""
    for request, parts in ((raw_request(b"abc"), 0), (form_request([b"abc", b"de"]), 2)):
        head, _, body = request.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        assert body.count(b'name="files"') == parts
    assert raw_request(b"abc").endswith(b"\r\n\r\nabc")


def test_the_four_loads() -> None:
    """Single slices and series of 36, over HTTP and gRPC."""
    found = {name: load.slices for name, load in loads([b"a", b"b"]).items()}
    assert found == {"http single": 1, "http series": 36, "grpc unary": 1, "grpc stream": 36}
