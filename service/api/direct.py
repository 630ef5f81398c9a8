"""Direct: POST /classify without the framework between our middleware and its handler.

POST /classify ─> access ─> limits ─> classify ─> answer
anything else  ─> FastAPI: access ─> limits ─> its middleware, router, dependencies ─> answer

A profile found a quarter of the worker's time per request in FastAPI's layers, none of which this
one route needs. Its route there remains, as the description of the endpoint.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from service.api.access import Access
from service.api.classify import PATH, TIMEOUT_HEADER, classify
from service.api.limits import Limits
from service.config import Settings
from service.errors import MalformedRequest

# Reads the header as FastAPI reads it for the documented route.
_TIMEOUT_MS: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=1)])


def takes(scope: Scope) -> bool:
    """Whether a request is for the direct way."""
    if scope["type"] != "http":
        return False
    return bool(scope["path"] == PATH and scope["method"] == "POST")


class DirectApp(FastAPI):
    """The HTTP app, with a way of its own for the one route that has to be fast."""

    def __init__(self, settings: Settings, **options: Any) -> None:  # noqa: ANN401  (FastAPI's)
        super().__init__(**options)
        self._direct = Access(Limits(_answer, settings))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if takes(scope):
            own = {**scope, "app": self, "route": _ROUTE}
            await self._direct(own, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _Route:
    """What the access log asks a route for: its template."""

    path = PATH


_ROUTE = _Route()


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive, send)
    response = await classify(request, _timeout_ms(request))
    await response(scope, receive, send)


def _timeout_ms(request: Request) -> int | None:
    sent = request.headers.get(TIMEOUT_HEADER)
    if sent is None:
        return None
    try:
        return _TIMEOUT_MS.validate_python(sent)
    except ValidationError as error:
        raise MalformedRequest from error
