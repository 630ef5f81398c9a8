"""Mount: the HTTP app as a plain ASGI callable, fit for the server that it is mounted in.

server ─> its timeout ─┬─ POST /classify ─────────────────────> ahead ─┬─> mounted ─> app
                       └─> its context, router, health routes ─────────┘
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.direct import takes

CLIENT_GONE = 499  # the customary status for an answer that nobody is left to read


def mounted(app: FastAPI) -> ASGIApp:
    """Wrap the app.

    BentoML takes unknown paths away from an app that it recognises as Starlette's; ours counts
    them and answers them as problems, without the route of BentoML's mount. Its timeout waits for
    a response even after the client has gone, so one is always sent. While draining, connections
    are not kept: an idle one that the server closes may already carry the next request.
    """

    async def http(scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def tell(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if app.state.draining:
                    MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        own = {key: value for key, value in scope.items() if key != "route"}
        await app(own, receive, tell)
        if not started and scope["type"] == "http":
            await Response(status_code=CLIENT_GONE)(scope, receive, send)

    return http


class Ahead:
    """Middleware of the server: requests for the direct way skip its router and all behind it."""

    def __init__(self, app: ASGIApp, ours: ASGIApp) -> None:
        self._theirs = app
        self._ours = ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        await (self._ours if takes(scope) else self._theirs)(scope, receive, send)
