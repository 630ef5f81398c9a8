"""Ops: health, metrics, and the manifest of the model with the card written from it.

Under BentoML the three health paths are BentoML's own and never get here; these give the same
answers wherever the app runs without it.
"""

from __future__ import annotations

import json

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service import metrics
from service.api.problem import documented
from service.api.schemas import Health
from service.card.page import render
from service.errors import NotReady
from service.pipeline import Pipeline

router = APIRouter(tags=["operations"])


def pipeline_of(request: Request) -> Pipeline:
    """The pipeline that the worker has published.

    Raises:
        NotReady: the model is not verified and warmed yet, or never will be.
    """
    pipeline: Pipeline | None = request.app.state.pipeline
    if pipeline is None:
        raise NotReady
    return pipeline


@router.get("/healthz", summary="The process answers")
@router.get("/livez", summary="The process answers")
async def live() -> Health:
    """Always 200: a process that cannot answer this should be restarted."""
    return Health(status="ok")


@router.get("/readyz", summary="Requests would be taken", responses=documented(503))
async def ready(request: Request) -> Health:
    """200 once the model is verified and warmed, 503 before that and while shutting down."""
    if not pipeline_of(request).ready or request.app.state.draining:
        raise NotReady
    return Health(status="ok")


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def show_metrics() -> Response:
    """All workers together, in the text format of Prometheus."""
    content, media_type = metrics.render()
    return Response(content, headers={"content-type": media_type})


@router.get(
    "/v1/model",
    summary="The manifest of the model, and the engine that runs it",
    response_class=Response,
    responses={
        200: {"description": "The manifest and the engine", "content": {"application/json": {}}},
        **documented(503),
    },
)
async def show_model(request: Request) -> Response:
    """The manifest as it is; `engine` beside it says what computes the network here, and why."""
    pipeline = pipeline_of(request)
    text = pipeline.manifest.to_json()
    if pipeline.engine is not None:
        text = json.dumps({**json.loads(text), "engine": pipeline.engine}, indent=2) + "\n"
    return Response(text, media_type="application/json")


@router.get(
    "/v1/model/card",
    summary="The model card",
    response_class=Response,
    responses={
        200: {"description": "The card, as markdown", "content": {"text/markdown": {}}},
        **documented(503),
    },
)
async def show_card(request: Request) -> Response:
    """What the model is for, how it was made and measured, and where it is known to fail."""
    card = render(pipeline_of(request).manifest)
    return Response(card, headers={"content-type": "text/markdown; charset=utf-8"})
