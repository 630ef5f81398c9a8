"""Limits: how much body, in how many pieces and for how long, before any of it is looked at.

Content-Length over the cap ─> 413, nothing buffered
body read ─> bytes counted ─> 413 | pieces counted ─> 413 | not there in time ─> 408
          ─> bytes held by all requests together over the budget ─> 503

BentoML takes a concurrency slot before user middleware runs and has no size limit of its own, so
admission is decided here, without a slot (figures and attacks: Triton's HTTP suite, 64 MiB body
and 65,536 chunks).
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.facts import Facts, facts_of
from service.config import Settings
from service.errors import MalformedRequest, QueueFull, ServiceError, TooLarge

MAX_PIECES = 65_536
# A client that is still sending loses the answer with the connection: give it this long.
LINGER_S = 1.0
EXEMPT = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})


class BodyTimeout(MalformedRequest):
    """The body did not arrive within `body_timeout_s`."""

    code = "body_timeout"
    message = "The request body did not arrive in time."


class Limits:
    """Guards the bodies of all requests of one worker."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self.max_bytes = settings.max_request_bytes
        self.max_pieces = MAX_PIECES
        self.timeout_s = settings.body_timeout_s
        # Everything that could be admitted at once; more could only wait in memory.
        self.budget = max(settings.max_queue * settings.max_slice_bytes, self.max_bytes)
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counted `receive`.

        Raises:
            ServiceError: one of the limits, from here or from the counted `receive`.
        """
        if scope["type"] != "http" or scope["path"] in EXEMPT:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        body = _Body(self, receive, facts_of(scope), chunked="transfer-encoding" in headers)
        try:
            body.expect(headers.get("content-length", "0"))
            await self._app(scope, body.receive, send)
        except BodyTimeout:
            raise  # it is not sending
        except ServiceError:
            if "expect" not in headers:  # else reading would invite the body with a 100
                await body.linger()
            raise
        finally:
            self.held -= body.facts.bytes


class _Body:
    """The body of one request while it is received."""

    def __init__(self, limits: Limits, receive: Receive, facts: Facts, *, chunked: bool) -> None:
        self.facts = facts
        self._limits = limits
        self._receive = receive
        self._pieces = 0
        self._until = facts.arrived + limits.timeout_s
        facts.unread = chunked

    def expect(self, declared: str) -> None:
        """Judge the declared length.

        Raises:
            MalformedRequest: it is no number.
            TooLarge: it is over the limit.
        """
        if not (declared.isascii() and declared.isdigit()):
            self.facts.unread = True
            raise MalformedRequest
        self.facts.unread = self.facts.unread or int(declared) > 0
        if int(declared) > self._limits.max_bytes:
            raise TooLarge

    async def receive(self) -> Message:
        """The next message, counted while the body lasts; later ones are passed through.

        Raises:
            BodyTimeout: the body is late.
            TooLarge: too many bytes or pieces.
            QueueFull: all requests together hold too much.
        """
        if not self.facts.unread:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyTimeout from error
        if message["type"] == "http.request":
            self._count(len(message.get("body", b"")))
            self.facts.unread = message.get("more_body", False)
        return message

    def _count(self, size: int) -> None:
        self._pieces += 1
        self.facts.bytes += size
        self._limits.held += size
        if self.facts.bytes > self._limits.max_bytes or self._pieces > self._limits.max_pieces:
            raise TooLarge
        if self._limits.held > self._limits.budget:
            raise QueueFull

    async def linger(self) -> None:
        """Throw away what is still coming, for a short while."""
        try:
            async with asyncio.timeout(LINGER_S):
                while self.facts.unread:
                    message = await self._receive()
                    self.facts.unread = message.get("more_body", False)
        except TimeoutError:
            return
