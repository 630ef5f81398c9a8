"""Calls: request id, deadline, log line and count of one RPC, and its end by a status.

invocation metadata ─> request id      client deadline ─> ours, shortened
ServiceError ─> status      any other exception ─> INTERNAL, logged by type only
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from service import metrics
from service.errors import ServiceError
from service.log import new_request_id
from service.rpc.status import STATUS, metadata_of

_log = logging.getLogger(__name__)


def loop_time() -> float:
    """The clock of all deadlines, s; uvloop's own reading of it has whole milliseconds only."""
    return time.monotonic()


@dataclass(slots=True)
class Call:
    """What is known of one RPC; filled while it runs, read once at its end."""

    method: str
    request_id: str
    expires: float  # loop time at which the client gives up, s; infinite without a deadline
    arrived: float = field(default_factory=loop_time)
    outcome: str = "cancelled"
    slices: int = 0
    bytes: int = 0

    def deadline(self, limit_s: float) -> float:
        """Loop time by which work that starts now must be done: ours or the client's, s."""
        return min(loop_time() + limit_s, self.expires)

    def conclude(self) -> None:
        """Write the log line and count the call."""
        metrics.record_request(self.method, "grpc", self.outcome)
        _log.info(
            "request",
            extra={
                "request_id": self.request_id,
                "transport": "grpc",
                "route": self.method,
                "outcome": self.outcome,
                "slices": self.slices,
                "bytes": self.bytes,
                "ms": round((loop_time() - self.arrived) * 1000, 3),
            },
        )


@asynccontextmanager
async def answering(method: str, context: grpc.aio.ServicerContext) -> AsyncIterator[Call]:
    """Run the body of one RPC; whatever it raises becomes a status."""
    call = Call(method, _request_id(context), _expires(context))
    try:
        await context.send_initial_metadata((("x-request-id", call.request_id),))
        yield call
        call.outcome = "ok"
    except Exception as error:
        await _abort(context, call, known(error, call))
    finally:
        call.conclude()


def known(error: Exception, call: Call) -> ServiceError:
    """The failure as the client may see it; a bug is logged, by type only."""
    if isinstance(error, ServiceError):
        return error
    _log.error("internal_error", exc_info=error, extra={"request_id": call.request_id})
    return ServiceError()


async def _abort(context: grpc.aio.ServicerContext, call: Call, error: ServiceError) -> None:
    call.outcome = error.code
    metadata = metadata_of(error, call.request_id)
    await context.abort(STATUS[error.kind], error.message, metadata)


def _request_id(context: grpc.aio.ServicerContext) -> str:
    """The client's own id where it is well formed, as over HTTP."""
    sent = dict(context.invocation_metadata() or ()).get("x-request-id")
    return new_request_id(sent if isinstance(sent, str) else None)


def _expires(context: grpc.aio.ServicerContext) -> float:
    remaining_s = context.time_remaining()
    return float("inf") if remaining_s is None else loop_time() + float(remaining_s)
