"""Problem: failures as RFC 9457 `application/problem+json`, with one status per kind.

ServiceError ─> kind ─> HTTP status      NothingClassified ─> every violation of every slice
404, 405 of the router, bad headers ─> the same form

Texts are fixed: nothing of the request, and nothing of an exception, is repeated.
"""

from __future__ import annotations

import math

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.facts import facts_of
from service.api.schemas import Problem, SliceAnswer, SliceViolation
from service.errors import MalformedRequest, NothingClassified, ServiceError
from service.types import Kind

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:ich-serve:problem:"

# reliability.md section 4; gRPC has the same table in service.rpc.status.
STATUS: dict[Kind, int] = {
    Kind.MALFORMED: 400,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 415,
    Kind.NOT_ASSESSABLE: 422,
    Kind.UNAVAILABLE: 503,
    Kind.DEADLINE: 504,
    Kind.INTERNAL: 500,
}
TITLES: dict[Kind, str] = {
    Kind.MALFORMED: "Malformed request",
    Kind.TOO_LARGE: "Too large",
    Kind.UNSUPPORTED: "Unsupported media type or transfer syntax",
    Kind.NOT_ASSESSABLE: "Not an assessable head CT slice",
    Kind.UNAVAILABLE: "Temporarily unavailable",
    Kind.DEADLINE: "Deadline exceeded",
    Kind.INTERNAL: "Internal error",
}
# HTTP has a status of its own for a slow body (RFC 9110 section 15.5.9); the kinds do not.
STATUS_OF_CODE: dict[str, int] = {"body_timeout": 408}
ROUTING: dict[int, tuple[str, str, str]] = {
    404: ("not_found", "Not found", "There is nothing at this path."),
    405: ("method_not_allowed", "Method not allowed", "The path does not take this method."),
}
REFUSED = ("request_refused", "Request refused", "The request was refused.")


def status_of(error: ServiceError) -> int:
    """The HTTP status of a failure."""
    return STATUS_OF_CODE.get(error.code, STATUS[error.kind])


def problem_of(error: ServiceError, request_id: str) -> Problem:
    """The body of the answer to a failure."""
    slices = error.classification.slices if isinstance(error, NothingClassified) else ()
    return Problem(
        type=TYPE_PREFIX + error.code,
        title=TITLES[error.kind],
        status=status_of(error),
        detail=error.message,
        code=error.code,
        request_id=request_id,
        violations=[
            SliceViolation.of(item.index, violation)
            for item in slices
            for violation in (*item.errors, *item.warnings)
        ],
        # The client knows its file names; a problem is logged by proxies that must not.
        slices=[SliceAnswer.of(item).model_copy(update={"file_name": None}) for item in slices],
    )


def problem_response(error: ServiceError, request_id: str) -> Response:
    """The answer to a failure; `Retry-After` in whole seconds where a retry helps."""
    headers = {}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    return _respond(problem_of(error, request_id), headers)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """The router's own refusals (unknown path, wrong method) in the same form."""
    facts = facts_of(request.scope)
    if not isinstance(error, HTTPException):  # registered for this type only
        raise error
    code, title, detail = ROUTING.get(error.status_code, REFUSED)
    facts.code = code
    problem = Problem(
        type=TYPE_PREFIX + code,
        title=title,
        status=error.status_code,
        detail=detail,
        code=code,
        request_id=facts.request_id,
    )
    return _respond(problem, dict(error.headers or {}))


async def on_invalid_parameter(request: Request, error: Exception) -> Response:
    """A header that does not hold what is documented; its value is not repeated."""
    raise MalformedRequest from error


def _respond(problem: Problem, headers: dict[str, str]) -> Response:
    content = problem.model_dump_json()
    return Response(content, problem.status, headers=headers, media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, object]]:
    """OpenAPI entries for the failures of a route; 408 and the kinds have their titles here."""
    titles = {STATUS[kind]: title for kind, title in TITLES.items()} | {408: "Body too slow"}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": titles[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }
