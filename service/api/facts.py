"""Facts: what is known of one request, carried in its ASGI scope from middleware to route."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

_KEY = "ich.facts"


@dataclass(slots=True)
class Facts:
    """What is known of one request; filled while it is answered, read once at its end."""

    request_id: str
    arrived: float  # time.monotonic(), s: the clock of the event loop, finer than uvloop reads it
    code: str = ""  # of the problem that was answered
    status: int = 0  # 0: no response was started
    slices: int = 0
    bytes: int = 0
    unread: bool = False  # part of the body was left on the connection

    @property
    def outcome(self) -> str:
        """`ok`, `cancelled` (the client went first) or the stable code of the problem."""
        return self.code or ("ok" if self.status else "cancelled")


def attach_facts(scope: Scope, facts: Facts) -> None:
    """Begin the record of a request."""
    scope[_KEY] = facts


def facts_of(scope: Scope) -> Facts:
    """The record of the request, begun by `api.access`."""
    facts: Facts = scope[_KEY]
    return facts
