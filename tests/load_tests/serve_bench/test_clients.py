"""The serve bench's HTTP client against small servers of the test's own."""

from __future__ import annotations

import asyncio

import pytest

from load_tests.serve_bench.clients import http, raw_request
from load_tests.target import Target

ANSWER = b'{"status":"classified"}'
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER


async def called(answer: bytes, times: int) -> list[bool]:
    """What `http` makes of a server that hangs up after each answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    target = Target("127.0.0.1", server.sockets[0].getsockname()[1], 0)
    found = []
    async with server, http(target, [raw_request(b"")], 1) as call:
        for _ in range(times):
            found.append(await call())
            await asyncio.sleep(0.05)  # the end of the connection arrives
    return found


def test_a_connection_that_the_service_ended_is_opened_anew() -> None:
    """A service ends connections that nobody uses; this is no failure of a request."""
    assert asyncio.run(called(GOOD, 3)) == [True] * 3


@pytest.mark.parametrize(
    "answer", [GOOD[:-4], GOOD.replace(b"200", b"503"), GOOD.replace(b"sified", b"siflex")], ids=str
)
def test_what_is_no_full_answer_has_failed(answer: bytes) -> None:
    """Cut short, refused, or not classified."""
    assert asyncio.run(called(answer, 1)) == [False]
