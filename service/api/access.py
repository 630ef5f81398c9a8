"""Access: the outermost middleware; request id, one log line, one count, and the last net.

request ─> request id ─> limits ─> routes ─┬─> response            ─> x-request-id ─> log, count
                                           └─> any exception ─> problem+json ─────────┘

Nothing of an exception but its type is written anywhere, and the log line carries the route's
template, never the path: paths of later endpoints hold UIDs.
"""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics
from service.api.facts import Facts, attach_facts
from service.api.problem import problem_response
from service.errors import ServiceError
from service.log import new_request_id

REQUEST_ID_HEADER = "x-request-id"
UNMATCHED = "unmatched"  # the one route label of all unknown paths
# What FastAPI serves without an API route; a prefix is enough, and as bounded as a template.
UNROUTED = ("/openapi.json", "/docs/assets")
QUIET_ROUTES = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})

_log = logging.getLogger(__name__)


class Access:
    """Pure ASGI: a wrapper that touches a request would cost a task and a copy per message."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens inside."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        facts = Facts(
            new_request_id(Headers(scope=scope).get(REQUEST_ID_HEADER)),
            time.monotonic(),
        )
        attach_facts(scope, facts)
        try:
            await self._guarded(scope, receive, _tagged(send, facts), facts)
        finally:
            _conclude(scope, facts)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, facts: Facts) -> None:
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            if not isinstance(error, ServiceError):
                _log.error("internal_error", exc_info=error, extra={"request_id": facts.request_id})
            if facts.status:
                # Half an answer cannot be mended; the server closes the connection.
                raise RuntimeError("failed after the response had started") from None
            shown = error if isinstance(error, ServiceError) else ServiceError()
            facts.code = shown.code
            await problem_response(shown, facts.request_id)(scope, receive, send)


def _tagged(send: Send, facts: Facts) -> Send:
    """Put the request id on the response, and end a connection that holds an unread body."""

    async def tagged(message: Message) -> None:
        if message["type"] == "http.response.start":
            facts.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID_HEADER] = facts.request_id
            if facts.unread:
                headers["connection"] = "close"
        await send(message)

    return tagged


def route_label(scope: Scope) -> str:
    """The template of the route that was taken; all unknown paths share one label."""
    template = getattr(scope.get("route"), "path", None)
    if template is not None:
        return str(template)
    path = scope["path"]
    return next((known for known in UNROUTED if path.startswith(known)), UNMATCHED)


def _conclude(scope: Scope, facts: Facts) -> None:
    route = route_label(scope)
    metrics.record_request(route, "http", facts.outcome)
    level = logging.DEBUG if route in QUIET_ROUTES else logging.INFO
    took_s = time.monotonic() - facts.arrived
    _log.log(
        level,
        "request",
        extra={
            "request_id": facts.request_id,
            "transport": "http",
            "route": route,
            "outcome": facts.outcome,
            "code": facts.code or None,
            "status": facts.status,
            "slices": facts.slices,
            "bytes": facts.bytes,
            "ms": round(took_s * 1000, 3),
        },
    )
