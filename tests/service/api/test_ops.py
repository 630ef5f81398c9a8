"""Tests of the operations routes."""

from __future__ import annotations

import json

import httpx
import pytest
from fastapi import FastAPI

from service.artifact import parse_manifest
from service.card.page import render
from tests.service.room import Room


@pytest.mark.parametrize("path", ["/healthz", "/livez"])
async def test_alive_without_a_model(client: httpx.AsyncClient, app: FastAPI, path: str) -> None:
    """Liveness does not depend on the model: a restart would not mend it."""
    app.state.pipeline = None
    assert (await client.get(path)).status_code == 200


async def test_ready_only_while_requests_would_be_taken(
    client: httpx.AsyncClient, app: FastAPI, room: Room
) -> None:
    """Ready with a running pipeline; not while draining, with a stopped engine or without one."""
    assert (await client.get("/readyz")).status_code == 200
    app.state.draining = True
    assert (await client.get("/readyz")).status_code == 503
    app.state.draining = False
    await room.batcher.stop(0)
    assert (await client.get("/readyz")).status_code == 503
    app.state.pipeline = None
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")


async def test_manifest_is_shown_as_it_is(client: httpx.AsyncClient, room: Room) -> None:
    """What /v1/model shows reads back as the manifest that the pipeline uses."""
    answer = await client.get("/v1/model")
    assert answer.headers["content-type"] == "application/json"
    assert parse_manifest(answer.text) == room.pipeline.manifest


async def test_the_engine_is_shown_beside_the_manifest(
    client: httpx.AsyncClient, room: Room
) -> None:
    """What computes the network here and why; everything else is the manifest."""
    room.pipeline.engine = {"name": "native", "reason": "the fastest"}
    shown = (await client.get("/v1/model")).json()
    assert shown.pop("engine") == {"name": "native", "reason": "the fastest"}
    assert parse_manifest(json.dumps(shown)) == room.pipeline.manifest


async def test_metrics_are_in_the_text_format(client: httpx.AsyncClient) -> None:
    """The exposition has our instruments and the content type that Prometheus asks for."""
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE ich_requests_total counter" in answer.text


async def test_card_is_written_from_the_manifest_that_answers(
    client: httpx.AsyncClient, app: FastAPI, room: Room
) -> None:
    """/v1/model/card is the rendering of the manifest in use, as markdown; 503 without a model."""
    answer = await client.get("/v1/model/card")
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text == render(room.pipeline.manifest)
    app.state.pipeline = None
    assert (await client.get("/v1/model/card")).status_code == 503
