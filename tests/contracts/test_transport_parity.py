"""The same input by HTTP and by gRPC: the same verdicts and numbers, or the same stable code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import pytest

from service.api.app import create_app
from service.api.problem import STATUS as HTTP_STATUS
from service.errors import SEVERITY
from service.rpc import ich_pb2
from service.rpc.ich_pb2_grpc import HemorrhageClassifierStub
from service.rpc.server import RpcServer
from service.rpc.status import STATUS as GRPC_STATUS
from service.types import Action, Decoded, Kind, Violation
from tests.service.conftest import room
from tests.service.engine.serving import until
from tests.service.fakes import NAN, POISON, make_slice
from tests.service.room import SETTINGS, UIDS, Room
from tests.service.rpc.calling import SETTINGS as RPC_SETTINGS
from tests.service.rpc.calling import connected, problem_in

__all__ = ["room"]  # the fixture

# reliability.md section 4, written out a second time so that neither table can drift alone.
EXPECTED: dict[Kind, tuple[int, str]] = {
    Kind.MALFORMED: (400, "INVALID_ARGUMENT"),
    Kind.TOO_LARGE: (413, "OUT_OF_RANGE"),
    Kind.UNSUPPORTED: (415, "UNIMPLEMENTED"),
    Kind.NOT_ASSESSABLE: (422, "FAILED_PRECONDITION"),
    Kind.UNAVAILABLE: (503, "UNAVAILABLE"),
    Kind.DEADLINE: (504, "DEADLINE_EXCEEDED"),
    Kind.INTERNAL: (500, "INTERNAL"),
}


@dataclass
class Skins:
    """Both transports over one pipeline."""

    room: Room
    http: httpx.AsyncClient
    rpc: HemorrhageClassifierStub

    async def by_http(self, *bodies: bytes) -> tuple[int, dict[str, Any]]:
        """Status and JSON."""
        files = [("files", (f"{place}.dcm", body)) for place, body in enumerate(bodies)]
        if files:
            answer = await self.http.post("/classify", files=files)
        else:
            answer = await self.http.post("/classify")
        return answer.status_code, answer.json()

    async def by_rpc(self, *bodies: bytes) -> ich_pb2.ClassifyResponse | grpc.aio.AioRpcError:
        """The response, or the error with its metadata."""
        names = [f"{place}.dcm" for place in range(len(bodies))]
        try:
            return await self.rpc.Classify(ich_pb2.ClassifyRequest(slices=bodies, names=names))
        except grpc.aio.AioRpcError as error:
            return error


@pytest.fixture
async def skins(room: Room) -> AsyncIterator[Skins]:
    """HTTP without a socket, gRPC over one, both before the same engine."""
    app = create_app(SETTINGS)
    app.state.pipeline = room.pipeline
    server = RpcServer(room.pipeline, RPC_SETTINGS)
    await server.start()
    transport = httpx.ASGITransport(app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://test") as http,
        connected(server.port) as channel,
    ):
        yield Skins(room, http, HemorrhageClassifierStub(channel))
    await server.stop(0)


def as_json(item: ich_pb2.SliceResult) -> dict[str, Any]:
    """A protobuf result in the form of the JSON answer."""
    probabilities = item.probabilities if item.HasField("probabilities") else None
    window = item.window if item.HasField("window") else None
    return {
        "index": item.index,
        "file_name": item.file_name or None,
        "sop_instance_uid": item.sop_instance_uid or None,
        "series_instance_uid": item.series_instance_uid or None,
        "study_instance_uid": item.study_instance_uid or None,
        "status": ich_pb2.Status.Name(item.status).removeprefix("STATUS_").lower(),
        "probabilities": probabilities and plain(probabilities),
        "findings": list(item.findings),
        "any_consistent": item.any_consistent if item.HasField("any_consistent") else None,
        "window": window and plain(window),
        "warnings": [violation_json(violation) for violation in item.warnings],
        "errors": [violation_json(violation) for violation in item.errors],
        "frame": item.frame if item.HasField("frame") else None,
    }


def plain(message: Any) -> dict[str, Any]:
    """All fields of a message, defaults included."""
    return {field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields}


def violation_json(violation: ich_pb2.Violation) -> dict[str, Any]:
    """A protobuf violation in the form of the JSON answer."""
    action = ich_pb2.Action.Name(violation.action).removeprefix("ACTION_").lower()
    return plain(violation) | {"action": action}


def refuse(room_: Room, body: bytes, kind: Kind, action: Action = Action.REJECT) -> None:
    """Let the gate refuse one body for a reason of that kind."""
    rule = Violation(f"rule_{kind}", action, "A fixed sentence.", kind, "Modality", "0008,0060")
    room_.decoder.outcomes[body] = Decoded(UIDS, None, (rule,))


async def test_answers_are_equal(skins: Skins) -> None:
    """Classified, warned, skipped, rejected and failed slices are the same in every field."""
    warning = Violation("odd_spacing", Action.WARN, "A fixed sentence.", keyword="PixelSpacing")
    skins.room.decoder.outcomes[b"2"] = Decoded(UIDS, make_slice(2), (warning,))
    refuse(skins.room, b"3", Kind.MALFORMED)
    refuse(skins.room, b"4", Kind.NOT_ASSESSABLE, Action.SKIP)
    bodies = [b"-1", b"2", b"3", b"4", str(NAN).encode(), b"0" * 1025]
    status, by_http = await skins.by_http(*bodies)
    by_rpc = await skins.by_rpc(*bodies)
    assert status == 200
    assert isinstance(by_rpc, ich_pb2.ClassifyResponse)
    assert [as_json(item) for item in by_rpc.slices] == by_http["slices"]
    assert plain(by_rpc.model) == by_http["model"]
    assert {item["status"] for item in by_http["slices"]} == {"classified", "skipped", "rejected"}


def test_both_tables_are_total_and_as_specified() -> None:
    """Every kind has its status on both sides; the severities leave none out either."""
    found = {kind: (HTTP_STATUS[kind], GRPC_STATUS[kind].name) for kind in Kind}
    assert found == EXPECTED
    assert set(HTTP_STATUS) == set(GRPC_STATUS) == set(SEVERITY) == set(Kind)


@pytest.mark.parametrize("kind", list(Kind))
async def test_refused_slice_of_each_kind(skins: Skins, kind: Kind) -> None:
    """A request of one refused slice has the code of its rule, and the violation, on both."""
    refuse(skins.room, b"3", kind)
    status, by_http = await skins.by_http(b"3")
    error = await skins.by_rpc(b"3")
    assert isinstance(error, grpc.aio.AioRpcError)
    assert (status, error.code().name) == EXPECTED[kind]
    metadata = dict(error.trailing_metadata() or ())
    assert by_http["code"] == metadata["ich-code"] == f"rule_{kind}"
    assert by_http["detail"] == error.details()
    (shared,) = problem_in(metadata).violations
    expected = violation_json(shared.violation) | {"slice": shared.slice_indices[0]}
    assert by_http["violations"] == [expected]


BUG, SLOW = b"not a number", b"1"


@pytest.mark.parametrize(
    ("bodies", "kind"),
    [
        pytest.param([], Kind.MALFORMED, id="nothing"),
        pytest.param([b"", b""], Kind.MALFORMED, id="empty slices"),
        pytest.param([b"1"] * 9, Kind.TOO_LARGE, id="too many"),
        pytest.param([b"0" * 1025], Kind.TOO_LARGE, id="too large"),
        pytest.param([str(POISON).encode()], Kind.INTERNAL, id="engine failure"),
        pytest.param([BUG], Kind.INTERNAL, id="bug"),
    ],
)
async def test_refused_request(skins: Skins, bodies: list[bytes], kind: Kind) -> None:
    """A request that fails as a whole has the same code on both."""
    status, by_http = await skins.by_http(*bodies)
    error = await skins.by_rpc(*bodies)
    assert isinstance(error, grpc.aio.AioRpcError)
    assert (status, error.code().name) == EXPECTED[kind]
    assert by_http["code"] == dict(error.trailing_metadata() or ())["ich-code"]


async def test_full_queue(skins: Skins) -> None:
    """While the queue is full both say so and ask for the same wait."""
    skins.room.predictor.hold()
    busy = asyncio.create_task(skins.room.classify(*[b"1"] * 8))
    await until(lambda: skins.room.batcher.depth == 8)
    answer = await skins.http.post("/classify", files=[("files", ("a", b"1"))])
    error = await skins.by_rpc(b"1")
    assert isinstance(error, grpc.aio.AioRpcError)
    metadata = dict(error.trailing_metadata() or ())
    assert (answer.status_code, error.code().name) == EXPECTED[Kind.UNAVAILABLE]
    assert answer.json()["code"] == metadata["ich-code"] == "queue_full"
    assert int(answer.headers["retry-after"]) * 1000 == int(metadata["retry-after-ms"])
    skins.room.predictor.released.set()
    await busy
