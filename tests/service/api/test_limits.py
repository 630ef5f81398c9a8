"""Tests of the limits: bytes declared and counted, pieces, time, and memory of all requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from service.api.access import Access
from service.api.app import create_app
from service.api.limits import Limits
from service.config import Settings
from tests.service.api.sockets import LAST_CHUNK, chunk, exchange, served
from tests.service.engine.serving import until
from tests.service.room import Room

LIMIT = 4096
SETTINGS = Settings(
    max_files=8,
    max_queue=8,
    max_slice_bytes=LIMIT,
    max_request_bytes=LIMIT,
    body_timeout_s=0.5,
)
DICOM = "Content-Type: application/dicom\r\nConnection: close\r\n"


@pytest.fixture
def app(room: Room) -> FastAPI:
    """An application with small limits."""
    made = create_app(SETTINGS)
    made.state.pipeline = room.pipeline
    return made


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
    """The application over real sockets."""
    async with served(app) as bound:
        yield bound


def of_size(size: int) -> bytes:
    """A body that the fake decoder reads as slice 7."""
    return b"0" * (size - 1) + b"7"


def status(answer: bytes) -> int:
    """The status of a raw HTTP answer."""
    return int(answer.split(b" ", 2)[1])


# The pipeline of the room takes slices of 1024 bytes: within the limits its own 413 follows.
@pytest.mark.parametrize(
    ("size", "code"),
    [(1024, None), (LIMIT - 1, b"bytes-of-slice"), (LIMIT, b"bytes-of-slice"), (LIMIT + 1, b"")],
)
@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
async def test_limit_of_the_body(port: int, size: int, code: bytes | None, chunked: bool) -> None:
    """Up to the limit the pipeline decides; one byte more never reaches it, however it is sent."""
    body = of_size(size)
    if chunked:
        pieces = [chunk(body[start : start + 512]) for start in range(0, size, 512)]
        answer = await exchange(
            port, DICOM + "Transfer-Encoding: chunked", b"".join(pieces) + LAST_CHUNK
        )
    else:
        answer = await exchange(port, f"{DICOM}Content-Length: {size}", body)
    assert status(answer) == (200 if code is None else 413)
    # A verdict on a slice exists only where the body went through.
    assert (b'"index":0' in answer) is (code != b"")


async def test_declared_length_is_refused_unread(port: int) -> None:
    """The refusal comes before any of the body has been sent."""
    answer = await exchange(port, f"{DICOM}Content-Length: {10**12}\r\nExpect: 100-continue")
    assert status(answer) == 413
    assert b"100 Continue" not in answer
    assert b"connection: close" in answer.lower()


async def test_slow_sender_of_a_refused_body_reads_the_answer(port: int) -> None:
    """A client that writes all of a too large body before it reads still gets its 413."""
    body = b"0" * 5_000_000
    answer = await exchange(port, f"{DICOM}Content-Length: {len(body)}", body)
    assert status(answer) == 413


async def test_body_that_does_not_come_is_given_up(port: int) -> None:
    """Half a body ends after the body timeout with 408, and the connection is closed."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    answer = await exchange(port, f"{DICOM}Content-Length: 100", b"0" * 50)
    assert status(answer) == 408
    assert b'"code":"body_timeout"' in answer
    assert loop.time() - started > 0.4


async def test_half_open_requests_block_nobody(room: Room) -> None:
    """While 300 requests hold back their bodies a whole one is answered."""
    patient = create_app(SETTINGS.model_copy(update={"body_timeout_s": 60.0}))
    patient.state.pipeline = room.pipeline
    head = f"{DICOM}Content-Length: 100"
    async with served(patient) as port:
        waiting = [asyncio.create_task(exchange(port, head, b"0", within_s=60)) for _ in range(300)]
        await asyncio.sleep(0.1)
        good = await exchange(port, f"{DICOM}Content-Length: 1", b"1")
        assert status(good) == 200
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_65537_one_byte_chunks_are_bounded(port: int) -> None:
    """A body cut into single bytes costs its limit and no more."""
    answer = await exchange(
        port, DICOM + "Transfer-Encoding: chunked", chunk(b"0") * 65_537 + LAST_CHUNK
    )
    assert 400 <= status(answer) < 500


async def run(limits: Limits, messages: list[dict[str, Any]], declared: str = "0") -> list[int]:
    """Send messages through the limits to an app that reads them all; the statuses answered."""
    answered: list[int] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    headers = [(b"transfer-encoding", b"chunked"), (b"content-length", declared.encode())]
    scope = {"type": "http", "path": "/classify", "headers": headers}
    await Access(limits)(scope, receive, send)
    return answered


async def reads_all(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads its body and answers 200."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def pieces(count: int, size: int) -> list[dict[str, Any]]:
    """That many messages of that many bytes."""
    made: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"0" * size, "more_body": True} for _ in range(count)
    ]
    made[-1]["more_body"] = False
    return made


async def test_number_of_pieces_is_limited() -> None:
    """As many pieces as allowed pass, one more does not, though no byte was sent."""
    limits = Limits(reads_all, SETTINGS)
    assert limits.max_pieces == 65_536
    limits.max_pieces = 100
    assert await run(limits, pieces(100, 0)) == [200]
    assert await run(limits, pieces(101, 0)) == [413]


@pytest.mark.parametrize("declared", ["-1", "1e3", "", "²"])
async def test_length_must_be_a_number(declared: str) -> None:
    """A Content-Length that is no number is malformed."""
    assert await run(Limits(reads_all, SETTINGS), pieces(1, 1), declared) == [400]


async def test_all_requests_together_are_limited() -> None:
    """Bodies in memory are bounded over requests: one too many is refused, and nothing leaks."""
    limits = Limits(reads_all, SETTINGS)
    limits.budget = 1000
    held_back = [{"type": "http.request", "body": b"0" * 600, "more_body": True}]
    first = asyncio.create_task(run(limits, held_back))
    await until(lambda: limits.held == 600)
    assert await run(limits, pieces(1, 500)) == [503]
    assert await run(limits, pieces(1, 400)) == [200]
    assert await first == [408]
    assert limits.held == 0
