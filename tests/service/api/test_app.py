"""Tests of the application as a whole: not ready, unknown paths, request ids, documentation."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

from service.api.app import ASSETS, create_app
from service.log import JsonFormatter
from tests.service.room import SETTINGS

DICOM = {"content-type": "application/dicom"}
CANARY = "CANARY-1.2.840.99"


def counted(route: str, outcome: str) -> float:
    """Requests of this process by route and outcome."""
    labels = {"route": route, "transport": "http", "outcome": outcome}
    return REGISTRY.get_sample_value("ich_requests_total", labels) or 0.0


@pytest.mark.parametrize(("method", "path"), [("POST", "/classify"), ("GET", "/v1/model")])
async def test_without_a_model_everything_waits(
    client: httpx.AsyncClient, app: FastAPI, method: str, path: str
) -> None:
    """Until the worker has published its model the answer is 503 with Retry-After."""
    app.state.pipeline = None
    answer = await client.request(method, path, content=b"1", headers=DICOM)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.headers["retry-after"] == "5"


async def test_unknown_paths_share_one_label(client: httpx.AsyncClient) -> None:
    """A path can hold a UID: it is a 404 problem that repeats nothing, counted without it."""
    before = counted("unmatched", "not_found")
    for path in (f"/{CANARY}", f"/a/{CANARY}", "/classify/"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.headers["content-type"] == "application/problem+json"
        assert CANARY not in answer.text
    assert counted("unmatched", "not_found") - before == 3


async def test_wrong_method_is_a_problem(client: httpx.AsyncClient) -> None:
    """GET /classify is 405 with the methods that it takes, under the label of its route."""
    before = counted("/classify", "method_not_allowed")
    answer = await client.get("/classify")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    assert counted("/classify", "method_not_allowed") - before == 1


@pytest.mark.parametrize(
    ("sent", "kept"), [("study-7_a.b", True), ("a b", False), ("x" * 65, False)]
)
async def test_request_id_is_on_every_answer(
    client: httpx.AsyncClient, sent: str, kept: bool
) -> None:
    """A well-formed id of the client is used, another replaced, in header and problem alike."""
    answer = await client.get("/nothing", headers={"x-request-id": sent})
    given = answer.headers["x-request-id"]
    assert (given == sent) is kept
    assert answer.json()["request_id"] == given


async def test_internal_error_says_nothing(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug answers 500 with fixed text; its own text reaches neither client nor log."""
    body = CANARY.encode()  # the fake decoder cannot read it as a number and raises with it
    with caplog.at_level(logging.DEBUG):
        answer = await client.post("/classify", content=body, headers=DICOM)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert CANARY not in answer.text
    ours = [record for record in caplog.records if record.name.startswith("service.api")]
    lines = [JsonFormatter().format(record) for record in ours]
    assert [json.loads(line)["event"] for line in lines] == ["internal_error", "request"]
    assert "ValueError" in lines[0]
    assert not any(CANARY in line for line in lines)


async def test_one_line_per_request(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The line has route template, outcome and sizes, and no file name."""
    with caplog.at_level(logging.INFO, "service.api"):
        await client.post("/classify", files=[("files", (CANARY, b"1"))])
    (record,) = caplog.records
    line = json.loads(JsonFormatter().format(record))
    shown = {name: line[name] for name in ("event", "route", "transport", "outcome", "slices")}
    assert shown == {
        "event": "request",
        "route": "/classify",
        "transport": "http",
        "outcome": "ok",
        "slices": 1,
    }
    assert line["bytes"] > 1
    assert line["ms"] > 0
    assert CANARY not in json.dumps(line)


async def test_docs_come_without_a_network(tmp_path: Path) -> None:
    """With the assets at hand the page loads scripts from this service and from nowhere else."""
    (tmp_path / "swagger-ui-bundle.js").write_text("// here")
    transport = httpx.ASGITransport(create_app(SETTINGS, tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        page = await http.get("/docs")
        script = await http.get(f"{ASSETS}/swagger-ui-bundle.js")
    assert "https://" not in page.text
    assert f"{ASSETS}/swagger-ui-bundle.js" in page.text
    assert script.text == "// here"


@pytest.mark.parametrize("route", ["/openapi.json", "/docs", "/readyz"])
async def test_pages_have_their_own_label(client: httpx.AsyncClient, route: str) -> None:
    """What is served is not counted among the unknown paths."""
    before = counted(route, "ok"), counted("unmatched", "ok")
    await client.get(route)
    after = counted(route, "ok"), counted("unmatched", "ok")
    assert (after[0] - before[0], after[1] - before[1]) == (1, 0)


async def test_docs_without_assets_name_the_description(client: httpx.AsyncClient) -> None:
    """Without the assets the page is plain and leads to the OpenAPI document."""
    page = await client.get("/docs")
    assert "openapi.json" in page.text
    assert "https://" not in page.text
    description = (await client.get("/openapi.json")).json()["info"]["description"]
    assert "not a medical device" in description
    assert (await client.get("/")).headers["location"] == "docs"
