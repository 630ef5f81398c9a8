"""Classify: POST /classify; body -> uploads -> pipeline -> JSON.

The work ends with the client: while the pipeline runs, a disconnect cancels it, which takes the
queued slices of the request out of the batcher.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from service.api.facts import facts_of
from service.api.multipart import FIELD_NAME
from service.api.ops import pipeline_of
from service.api.problem import documented
from service.api.schemas import ClassifyAnswer
from service.api.uploads import FORM, RAW, RELATED, read_uploads
from service.config import Settings

T = TypeVar("T")

PATH = "/classify"
TIMEOUT_HEADER = "X-Request-Timeout-Ms"

router = APIRouter(tags=["classification"])

_BINARY = {"type": "string", "format": "binary"}
_FILES = {"type": "array", "items": _BINARY, "minItems": 1}
_BODY = {
    **{name: {"schema": _BINARY} for name in RAW},
    FORM: {
        "schema": {
            "type": "object",
            "required": [FIELD_NAME],
            "properties": {FIELD_NAME: _FILES},
            "additionalProperties": False,
        }
    },
    RELATED: {"schema": _BINARY},
}
TimeoutMs = Annotated[
    int | None,
    Header(
        alias=TIMEOUT_HEADER,
        ge=1,
        description="Shortens the deadline of the request; cannot lengthen it. Milliseconds.",
    ),
]


@router.post(
    PATH,
    summary="Classify CT slices",
    response_model=None,
    responses={
        200: {"model": ClassifyAnswer, "description": "At least one slice was classified"},
        **documented(400, 408, 413, 415, 422, 500, 503, 504),
    },
    openapi_extra={"requestBody": {"required": True, "content": _BODY}},
)
async def classify(request: Request, timeout_ms: TimeoutMs = None) -> Response:
    """Six probabilities for each slice of non-contrast head CT.

    Send one DICOM object as the body, or several as fields `files` of a form. The answer is 200
    when at least one slice was classified; each slice has a status of its own.
    """
    facts = facts_of(request.scope)
    settings: Settings = request.app.state.settings
    pipeline = pipeline_of(request)
    uploads = await read_uploads(request, settings)
    facts.slices = len(uploads)
    asked_s = settings.deadline_s if timeout_ms is None else timeout_ms / 1000
    answer = await unless_gone(
        request,
        pipeline.classify(
            uploads,
            request_id=facts.request_id,
            deadline=facts.arrived + min(asked_s, settings.deadline_s),
            transport="http",
            receive_s=time.monotonic() - facts.arrived,
        ),
    )
    content = ClassifyAnswer.of(answer).model_dump_json()
    return Response(content, media_type="application/json")


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the client disconnects.

    Raises:
        ClientDisconnect: the client went first.
    """
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        # Awaited, so that the slices have left the queue before the request is counted as over.
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
