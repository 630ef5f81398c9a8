"""Tests of POST /classify: what is taken, what is answered, and what a disconnect stops."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

from service.types import LABELS, Action, Decoded
from tests.service.engine.serving import until
from tests.service.fakes import make_violation
from tests.service.room import UIDS, Room

DICOM = {"content-type": "application/dicom"}


def files_of(*bodies: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    """A form with one file per body, named by its position."""
    return [("files", (f"{place}.dcm", body)) for place, body in enumerate(bodies)]


def requests_counted(outcome: str) -> float:
    """How many classify requests ended in that way in this process."""
    labels = {"route": "/classify", "transport": "http", "outcome": outcome}
    return REGISTRY.get_sample_value("ich_requests_total", labels) or 0.0


@pytest.mark.parametrize("media_type", ["application/dicom", "application/octet-stream"])
async def test_raw_body_is_one_slice(client: httpx.AsyncClient, media_type: str) -> None:
    """A raw body answers one slice with the six probabilities of its hand-made logits."""
    answer = await client.post("/classify", content=b"0", headers={"content-type": media_type})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    expected = {"name": "ich", "tag": "ich:1", "version": "1.0.0", "assumed_prevalence": {}}
    assert body["model"] == expected
    (only,) = body["slices"]
    assert only["status"] == "classified"
    assert only["file_name"] is None
    assert only["sop_instance_uid"] == "1.2.0"
    assert only["window"] == {"center": 40.0, "width": 80.0, "substituted": False}
    assert list(only["probabilities"]) == list(LABELS)
    assert only["probabilities"]["epidural"] == 0.5
    assert set(body["timings_ms"]) == {"receive", "decode", "queue", "infer", "total"}


async def test_form_answers_in_its_order(client: httpx.AsyncClient, room: Room) -> None:
    """Files come back at their positions with their names, whichever decode was first."""
    room.decoder.delays_s = {b"1": 0.03, b"2": 0.0, b"3": 0.01}
    answer = await client.post("/classify", files=files_of(b"1", b"2", b"3"))
    slices = answer.json()["slices"]
    assert [item["index"] for item in slices] == [0, 1, 2]
    assert [item["file_name"] for item in slices] == ["0.dcm", "1.dcm", "2.dcm"]
    assert [item["sop_instance_uid"] for item in slices] == ["1.2.1", "1.2.2", "1.2.3"]


async def test_oversized_file_fails_alone(client: httpx.AsyncClient) -> None:
    """One file over the limit is that slice's error; the others are classified."""
    answer = await client.post("/classify", files=files_of(b"1", b"0" * 1025, b"3"))
    assert answer.status_code == 200
    slices = answer.json()["slices"]
    assert [item["status"] for item in slices] == ["classified", "rejected", "classified"]
    assert [error["code"] for error in slices[1]["errors"]] == ["too_large"]


async def test_file_at_the_limit_passes(client: httpx.AsyncClient) -> None:
    """A file of exactly the largest size is classified."""
    answer = await client.post("/classify", files=files_of(b"0" * 1023 + b"7"))
    assert answer.json()["slices"][0]["status"] == "classified"


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        pytest.param(b"", DICOM, 400, "empty_request", id="no body"),
        pytest.param(b"1", {}, 415, "media_type", id="no media type"),
        pytest.param(b"1", {"content-type": "image/png"}, 415, "media_type", id="other type"),
        pytest.param(b"1", DICOM | {"content-encoding": "gzip"}, 415, "media_type", id="gzip"),
        pytest.param(b"0" * 1025, DICOM, 413, "too_large", id="large slice"),
        pytest.param(
            b"1", DICOM | {"x-request-timeout-ms": "soon"}, 400, "malformed_request", id="timeout"
        ),
        pytest.param(
            b"1",
            {"content-type": "multipart/form-data"},
            400,
            "malformed_request",
            id="no boundary",
        ),
        pytest.param(
            b"1",
            {"content-type": 'multipart/related; type="image/jpeg"; boundary=x'},
            415,
            "media_type",
            id="related of another type",
        ),
    ],
)
async def test_refusal_has_status_and_code(
    client: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """Each refusal is a problem with its status and stable code, and repeats nothing sent."""
    answer = await client.post("/classify", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"] == f"urn:ich-serve:problem:{code}"
    assert "soon" not in answer.text
    assert "png" not in answer.text


async def test_other_field_name_is_refused_unnamed(client: httpx.AsyncClient) -> None:
    """A field that is not `files` ends the request, and its name is not repeated."""
    answer = await client.post("/classify", files=[("secret", ("a", b"1"))])
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert "secret" not in answer.text


async def test_too_many_files(client: httpx.AsyncClient) -> None:
    """Eight files are the most of this service; the ninth ends the request."""
    eight = await client.post("/classify", files=files_of(*[b"1"] * 8))
    nine = await client.post("/classify", files=files_of(*[b"1"] * 9))
    assert eight.status_code == 200
    assert (nine.status_code, nine.json()["code"]) == (413, "too_many_slices")


async def test_nothing_classified_shows_every_violation(
    client: httpx.AsyncClient, room: Room
) -> None:
    """When no slice was classified the problem holds the verdict on each of them."""
    for body in (b"1", b"2"):
        violation = make_violation(Action.SKIP, f"rule_{body.decode()}")
        room.decoder.outcomes[body] = Decoded(UIDS, None, (violation,))
    answer = await client.post("/classify", files=files_of(b"1", b"2"))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "not_assessed")
    assert [(item["slice"], item["code"]) for item in problem["violations"]] == [
        (0, "rule_1"),
        (1, "rule_2"),
    ]
    assert [item["status"] for item in problem["slices"]] == ["skipped", "skipped"]


async def test_client_can_shorten_the_deadline(client: httpx.AsyncClient, room: Room) -> None:
    """A request that asks for 30 ms gets 504 when decoding takes longer."""
    room.decoder.delays_s[b"1"] = 5.0
    headers = DICOM | {"x-request-timeout-ms": "30"}
    answer = await client.post("/classify", content=b"1", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")


async def test_client_cannot_lengthen_the_deadline(
    client: httpx.AsyncClient, room: Room, app: FastAPI
) -> None:
    """The deadline of the service holds whatever the client asks for."""
    app.state.settings = app.state.settings.model_copy(update={"deadline_s": 0.03})
    room.decoder.delays_s[b"1"] = 5.0
    headers = DICOM | {"x-request-timeout-ms": "60000"}
    answer = await client.post("/classify", content=b"1", headers=headers)
    assert answer.json()["code"] == "deadline_exceeded"


async def test_full_queue_asks_to_retry(client: httpx.AsyncClient, room: Room) -> None:
    """A request that finds no room gets 503 with Retry-After, and the admitted one its answer."""
    room.predictor.hold()
    first = asyncio.create_task(client.post("/classify", files=files_of(*[b"1"] * 8)))
    await until(lambda: room.batcher.depth == 8)
    second = await client.post("/classify", content=b"1", headers=DICOM)
    assert (second.status_code, second.json()["code"]) == (503, "queue_full")
    assert int(second.headers["retry-after"]) >= 1
    room.predictor.released.set()
    assert (await first).status_code == 200


async def post_and_leave(app: FastAPI, body: bytes, left: asyncio.Event) -> list[Any]:
    """Call the app as a server would whose client disconnects once `left` is set."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/dicom"), (b"content-length", b"1")]
    scope = {"type": "http", "method": "POST", "path": "/classify", "headers": headers}
    scope |= {"query_string": b"", "root_path": "", "http_version": "1.1", "scheme": "http"}
    await app(scope, receive, send)
    return sent


async def test_disconnect_takes_the_slice_out_of_the_queue(app: FastAPI, room: Room) -> None:
    """A slice whose client left while it was queued is never executed, and counts as cancelled."""
    before = requests_counted("cancelled")
    left = asyncio.Event()
    room.predictor.hold()
    busy = asyncio.create_task(room.classify(b"1"))
    await until(lambda: room.predictor.executed == [1])
    leaving = asyncio.create_task(post_and_leave(app, b"2", left))
    await until(lambda: room.batcher.depth == 2)
    left.set()
    assert await leaving == []
    assert room.batcher.depth == 1
    room.predictor.released.set()
    await busy
    assert room.predictor.executed == [1]
    assert requests_counted("cancelled") - before == 1


async def test_answered_request_is_counted_once(client: httpx.AsyncClient) -> None:
    """Two good requests and one refused are two times `ok` and one time its code."""
    before = requests_counted("ok"), requests_counted("media_type")
    for _ in range(2):
        await client.post("/classify", content=b"1", headers=DICOM)
    await client.post("/classify", content=b"1", headers={"content-type": "text/plain"})
    after = requests_counted("ok"), requests_counted("media_type")
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)
