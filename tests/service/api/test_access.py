"""Tests of the outermost middleware: what happens when the inside or the client breaks off."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.requests import ClientDisconnect

from service.api.access import Access, route_label
from service.errors import QueueFull

START = {"type": "http.response.start", "status": 200, "headers": []}


def scope_of(kind: str = "http") -> dict[str, Any]:
    """A scope without a route."""
    return {"type": kind, "path": "/x", "headers": []}


def counted(outcome: str) -> float:
    """Requests of no known route that ended in that way."""
    labels = {"route": "unmatched", "transport": "http", "outcome": outcome}
    return REGISTRY.get_sample_value("ich_requests_total", labels) or 0.0


async def run(error: BaseException, *first: dict[str, Any]) -> list[dict[str, Any]]:
    """What is sent when the application sends `first` and then fails."""
    sent: list[dict[str, Any]] = []

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        for message in first:
            await send(dict(message, headers=[]))
        raise error

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    await Access(broken)(scope_of(), receive, send)
    return sent


async def test_failure_before_the_answer_is_a_problem() -> None:
    """An error that comes from below any route is answered and counted by its code."""
    before = counted("queue_full")
    start, _ = await run(QueueFull())
    assert start["status"] == 503
    assert counted("queue_full") - before == 1


async def test_failure_in_mid_answer_closes_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Half an answer cannot become a problem; the error that goes on to the server is our own."""
    with caplog.at_level(logging.INFO), pytest.raises(RuntimeError, match="had started") as caught:
        await run(ValueError("patient name"), START)
    assert caught.value.__suppress_context__
    assert [record.message for record in caplog.records] == ["internal_error", "request"]


async def test_client_that_goes_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """A client that leaves while it sends is counted as cancelled, and nothing is sent to it."""
    before = counted("cancelled")
    with caplog.at_level(logging.WARNING):
        assert await run(ClientDisconnect()) == []
    assert counted("cancelled") - before == 1
    assert caplog.records == []


async def test_other_scopes_pass_untouched() -> None:
    """Lifespan and the like are the application's own."""
    seen: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(scope)

    await Access(inner)(scope_of("lifespan"), None, None)  # type: ignore[arg-type]
    assert seen == ["type", "path", "headers"]


def test_label_is_never_the_path() -> None:
    """A path that begins like a known one shares its label, another that of the unknown."""
    assert route_label(scope_of() | {"path": "/docs/assets/1.2.840"}) == "/docs/assets"
    assert route_label(scope_of() | {"path": "/studies/1.2.840"}) == "unmatched"
