"""Servicer: `ich.v1.HemorrhageClassifier`; messages -> pipeline -> messages.

Classify        request ─> pipeline ─> response | status
ClassifyStream  request ─> free place in the window ─> pipeline ─> response, in order
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import grpc

from service.config import Settings
from service.errors import (
    MalformedRequest,
    NothingClassified,
    NotReady,
    TooLarge,
)
from service.pipeline import Pipeline
from service.rpc import ich_pb2
from service.rpc.calls import Call, answering, known
from service.rpc.messages import model_of, response_of, slice_of
from service.rpc.status import problem_of
from service.types import Classification, Upload

MAX_NAME_CHARS = 255

Answer = asyncio.Task[list[ich_pb2.ClassifyStreamResponse]]


class Servicer:
    """Serves both methods with the pipeline that the worker publishes."""

    def __init__(self, settings: Settings) -> None:
        self.pipeline: Pipeline | None = None
        self._settings = settings
        # Two batches: one in the engine, one forming; more would only hold memory.
        self._window = min(2 * settings.max_batch, settings.max_queue)

    async def Classify(
        self, request: ich_pb2.ClassifyRequest, context: grpc.aio.ServicerContext
    ) -> ich_pb2.ClassifyResponse:
        """Classify the slices of one request."""
        async with answering("Classify", context) as call:
            pipeline = self._published()
            call.bytes = request.ByteSize()
            call.slices = len(request.slices)
            if call.bytes > self._settings.max_request_bytes:
                raise TooLarge
            if len(request.names) not in (0, call.slices):
                raise MalformedRequest
            names = list(request.names) or [""] * call.slices
            uploads = [
                _upload(body, name) for body, name in zip(request.slices, names, strict=True)
            ]
            return response_of(await self._classify(pipeline, uploads, call))

    async def ClassifyStream(
        self,
        requests: AsyncIterator[ich_pb2.ClassifyStreamRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[ich_pb2.ClassifyStreamResponse]:
        """Classify slices as they come; answers in the order of the requests."""
        async with answering("ClassifyStream", context) as call:
            answers: asyncio.Queue[Answer | None] = asyncio.Queue()
            window = asyncio.Semaphore(self._window)
            reader = asyncio.create_task(self._read(requests, call, answers, window))
            try:
                while (answer := await answers.get()) is not None:
                    for response in await answer:
                        yield response
                    window.release()
                await reader
            finally:
                await _cancel_all(reader, answers)

    def _published(self) -> Pipeline:
        if self.pipeline is None:
            raise NotReady
        return self.pipeline

    async def _read(
        self,
        requests: AsyncIterator[ich_pb2.ClassifyStreamRequest],
        call: Call,
        answers: asyncio.Queue[Answer | None],
        window: asyncio.Semaphore,
    ) -> None:
        """Start one task per request; a place is taken first, so that HTTP/2 slows the client."""
        try:
            await window.acquire()
            async for request in requests:
                work = self._answer(request, call, call.slices)
                answers.put_nowait(asyncio.create_task(work))
                call.slices += 1
                call.bytes += len(request.dicom)
                await window.acquire()
        finally:
            answers.put_nowait(None)

    async def _answer(
        self, request: ich_pb2.ClassifyStreamRequest, call: Call, index: int
    ) -> list[ich_pb2.ClassifyStreamResponse]:
        """The answers to one item, one a frame; its failure never ends the stream.

        That there is no model yet is such a failure too: a stream that the server ends while its
        client still writes gives that client a transport error instead of our status.
        """
        answered = partial(
            ich_pb2.ClassifyStreamResponse, id=request.id, request_id=call.request_id
        )
        try:
            pipeline = self._published()
            uploads = [_upload(request.dicom, request.name)]
            given = await self._classify(pipeline, uploads, call)
        except NothingClassified as refusal:
            given = refusal.classification
        except Exception as error:
            return [answered(problem=problem_of(known(error, call), call.request_id))]
        model, timings = model_of(given.model), ich_pb2.Timings(**given.timings_ms)
        return [
            answered(result=slice_of(item, index), model=model, timings_ms=timings)
            for item in given.slices
        ]

    async def _classify(
        self, pipeline: Pipeline, uploads: list[Upload], call: Call
    ) -> Classification:
        return await pipeline.classify(
            uploads,
            request_id=call.request_id,
            deadline=call.deadline(self._settings.deadline_s),
            transport="grpc",
        )


def _upload(body: bytes, name: str) -> Upload:
    return Upload(body, name[:MAX_NAME_CHARS] or None)


async def _cancel_all(reader: asyncio.Task[None], answers: asyncio.Queue[Answer | None]) -> None:
    """Leave nothing running or queued behind a stream that is over."""
    reader.cancel()
    left: list[asyncio.Task[Any]] = [reader]
    while not answers.empty():
        answer = answers.get_nowait()
        if answer is not None:
            answer.cancel()
            left.append(answer)
    await asyncio.gather(*left, return_exceptions=True)
