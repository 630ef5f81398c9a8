"""Clients: one request each over HTTP or gRPC, cheap enough not to be what is measured.

A connection or stream of its own for each caller; a request that is not answered by one verdict
with probabilities for each of its slices has failed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import cycle

import grpc

from load_tests.target import Target
from service.rpc import ich_pb2, ich_pb2_grpc

Call = Callable[[], Awaitable[bool]]  # one request; whether it was answered as it should be
BOUNDARY = b"ich-serve-bench-boundary"
TIMEOUT_S = 120.0
# Channels of one process share a connection unless told otherwise.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)


def raw_request(body: bytes) -> bytes:
    """A whole HTTP/1.1 request with one object as its body."""
    return _post(b"application/dicom", body)


def form_request(bodies: Sequence[bytes]) -> bytes:
    """A whole HTTP/1.1 request with the objects as fields `files` of a form."""
    head = b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="files"; filename="%d"'
    parts = [head % place + b"\r\n\r\n" + body + b"\r\n" for place, body in enumerate(bodies)]
    kind = b"multipart/form-data; boundary=" + BOUNDARY
    return _post(kind, b"".join(parts) + b"--" + BOUNDARY + b"--\r\n")


def _post(kind: bytes, body: bytes) -> bytes:
    lines = (b"POST /classify HTTP/1.1", b"Host: bench", b"Content-Type: %s", b"Content-Length: %d")
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    return head % (kind, len(body)) + body


class Connection:
    """One kept connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, target: Target) -> Connection:
        """Connect to the HTTP port."""
        return cls(*await asyncio.open_connection(target.host, target.http_port))

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer.

        Raises:
            OSError, asyncio.IncompleteReadError: the connection broke.
        """
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head.split(b" ", 2)[1]), await self._reader.readexactly(length)

    @property
    def ended(self) -> bool:
        """The service has hung up, as it does when nothing was asked for a while."""
        return self._reader.at_eof() or self._writer.is_closing()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


@asynccontextmanager
async def http(target: Target, requests: Sequence[bytes], slices: int) -> AsyncIterator[Call]:
    """A caller that sends the requests in turn, each of so many slices."""
    connection, turn = await Connection.open(target), cycle(requests)

    async def call() -> bool:
        nonlocal connection
        try:
            if connection.ended:
                connection.close()
                connection = await Connection.open(target)
            status, body = await connection.send(next(turn))
        except (OSError, asyncio.IncompleteReadError):
            return False
        return status == 200 and body.count(b'"status":"classified"') == slices

    try:
        yield call
    finally:
        connection.close()


async def ask(target: Target, path: str) -> bytes:
    """POST without a body to a route of the benchmark's entry.

    Raises:
        RuntimeError: it did not answer 200.
    """
    connection = await Connection.open(target)
    try:
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n"
        status, body = await connection.send(head.encode())
    finally:
        connection.close()
    if status != 200:
        raise RuntimeError(f"{path} answered {status}")
    return body


async def raw_seconds(target: Target, batch: int, seconds: float) -> tuple[int, list[float]]:
    """Batch size (of the engine itself for 0) and seconds of each forward, back to back."""
    found = json.loads(await ask(target, f"/bench/raw?batch={batch}&seconds={seconds}"))
    return found["batch"], found["seconds"]


@asynccontextmanager
async def unary(target: Target, slices: Sequence[bytes]) -> AsyncIterator[Call]:
    """A caller of Classify with one slice a call."""
    requests = cycle([ich_pb2.ClassifyRequest(slices=[body]) for body in slices])
    async with grpc.aio.insecure_channel(target.address, _OPTIONS) as channel:
        stub = ich_pb2_grpc.HemorrhageClassifierStub(channel)

        async def call() -> bool:
            try:
                answer = await stub.Classify(next(requests), timeout=TIMEOUT_S)
            except grpc.aio.AioRpcError:
                return False
            return len(answer.slices) == 1 and answer.slices[0].HasField("probabilities")

        yield call


@asynccontextmanager
async def stream(target: Target, slices: Sequence[bytes]) -> AsyncIterator[Call]:
    """A caller of ClassifyStream: a call is one stream of all slices."""
    requests = [ich_pb2.ClassifyStreamRequest(id=str(n), dicom=b) for n, b in enumerate(slices)]
    async with grpc.aio.insecure_channel(target.address, _OPTIONS) as channel:
        stub = ich_pb2_grpc.HemorrhageClassifierStub(channel)

        async def call() -> bool:
            answers = stub.ClassifyStream(iter(requests), timeout=TIMEOUT_S)
            try:
                good = [answer.result.HasField("probabilities") async for answer in answers]
            except grpc.aio.AioRpcError:
                return False
            return len(good) == len(requests) and all(good)

        yield call
