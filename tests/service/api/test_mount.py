"""The wrapper between the server's mount and the HTTP app."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from service.api.mount import CLIENT_GONE, mounted


class FakeApp:
    """Stands for the HTTP app: answers with `messages`, and keeps the scope that it was given."""

    def __init__(self, draining: bool, *messages: Message) -> None:
        self.state = SimpleNamespace(draining=draining)
        self.messages = messages
        self.scope: Scope = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what was given."""
        self.scope = scope
        for message in self.messages:
            await send(message)


def answer() -> Message:
    """The start of a response with one header."""
    return {"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]}


async def around(app: FakeApp) -> Message:
    """The start of the response to one GET, as the server gets it."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/", "route": "of the mount"}
    await mounted(cast(FastAPI, app))(scope, receive, send)
    return sent[0]


@pytest.mark.parametrize("draining", [False, True], ids=["serving", "draining"])
async def test_connections_are_kept_unless_draining(draining: bool) -> None:
    """While draining every answer ends its connection; the app's own headers stay."""
    start = await around(FakeApp(draining, answer()))
    assert (b"x-own", b"1") in start["headers"]
    assert ((b"connection", b"close") in start["headers"]) is draining


async def test_silent_app_is_answered_for() -> None:
    """BentoML's timeout would wait for a response that nobody is going to send."""
    start = await around(FakeApp(False))
    assert start["status"] == CLIENT_GONE


async def test_route_of_the_mount_is_hidden() -> None:
    """Else every unknown path would be counted under it."""
    app = FakeApp(False, answer())
    await around(app)
    assert "route" not in app.scope
