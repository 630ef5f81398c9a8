"""Tests of the two RPCs over a real server: answers, refusals, order, window, cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from prometheus_client import REGISTRY

from service.rpc import ich_pb2
from service.rpc.ich_pb2_grpc import HemorrhageClassifierStub
from service.rpc.server import RpcServer
from service.types import LABELS, Action, Decoded
from tests.service.engine.serving import until
from tests.service.fakes import make_slice, make_violation
from tests.service.room import UIDS, Room
from tests.service.rpc.calling import connected, items, problem_in, refused


def counted(method: str, outcome: str) -> float:
    """RPCs of this process by method and outcome."""
    labels = {"route": method, "transport": "grpc", "outcome": outcome}
    return REGISTRY.get_sample_value("ich_requests_total", labels) or 0.0


def request(*slices: bytes, names: tuple[str, ...] = ()) -> ich_pb2.ClassifyRequest:
    """One request of these slices."""
    return ich_pb2.ClassifyRequest(slices=slices, names=names)


async def test_slices_are_answered_in_order(stub: HemorrhageClassifierStub, room: Room) -> None:
    """Positions, names, UIDs and the probabilities of hand-made logits."""
    room.decoder.delays_s = {b"1": 0.03, b"0": 0.0}
    call = stub.Classify(request(b"1", b"0", names=("a", "b")), metadata=[("x-request-id", "mine")])
    answer = await call
    assert answer.request_id == "mine"
    assert (answer.model.name, answer.model.tag, answer.model.version) == ("ich", "ich:1", "1.0.0")
    assert [item.index for item in answer.slices] == [0, 1]
    assert [item.file_name for item in answer.slices] == ["a", "b"]
    assert [item.sop_instance_uid for item in answer.slices] == ["1.2.1", "1.2.0"]
    assert {item.status for item in answer.slices} == {ich_pb2.STATUS_CLASSIFIED}
    second = answer.slices[1]
    assert second.probabilities.epidural == 0.5
    assert list(second.findings) == list(LABELS)
    assert second.any_consistent
    assert (second.window.center, second.window.width) == (40.0, 80.0)
    assert answer.timings_ms.total > 0
    assert dict(await call.initial_metadata())["x-request-id"] == "mine"


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        pytest.param(request(), "INVALID_ARGUMENT", "empty_request", id="nothing"),
        pytest.param(request(b"1", names=("a", "b")), "INVALID_ARGUMENT", "malformed_request"),
        pytest.param(request(*[b"1"] * 9), "OUT_OF_RANGE", "too_many_slices", id="nine"),
        pytest.param(request(b"0" * 1025), "OUT_OF_RANGE", "too_large", id="large slice"),
        pytest.param(request(b"x"), "INTERNAL", "internal", id="bug"),
    ],
)
async def test_refusal_has_status_and_code(
    stub: HemorrhageClassifierStub, message: ich_pb2.ClassifyRequest, status: str, code: str
) -> None:
    """Status by kind, the stable code as text and inside the problem."""
    found, metadata = await refused(stub.Classify(message))
    assert (found.name, metadata["ich-code"]) == (status, code)
    problem = problem_in(metadata)
    assert problem.code == code
    assert problem.request_id == metadata["ich-request-id"]


async def test_request_over_the_limit_gets_our_code(server: RpcServer, room: Room) -> None:
    """A message just over the limit is refused by us, and by gRPC only far above it."""
    servicer = server._servicer
    servicer._settings = servicer._settings.model_copy(update={"max_request_bytes": 10})
    async with connected(server.port) as channel:
        stub = HemorrhageClassifierStub(channel)
        assert (await stub.Classify(request(b"0" * 8))).slices
        found, metadata = await refused(stub.Classify(request(b"0" * 9)))
    assert (found, metadata["ich-code"]) == (grpc.StatusCode.OUT_OF_RANGE, "too_large")


async def test_without_a_model_the_client_is_told_to_retry(
    stub: HemorrhageClassifierStub, server: RpcServer
) -> None:
    """Until there is a pipeline a call is UNAVAILABLE with a time to wait."""
    server.pipeline = None
    found, metadata = await refused(stub.Classify(request(b"1")))
    assert (found, metadata["ich-code"]) == (grpc.StatusCode.UNAVAILABLE, "not_ready")
    assert metadata["retry-after-ms"] == "5000"


async def test_stream_without_a_model_stays_open(
    stub: HemorrhageClassifierStub, server: RpcServer, room: Room
) -> None:
    """Items of a stream are refused one by one until the model is there, then answered."""
    server.pipeline = None
    stream = stub.ClassifyStream()
    outcomes = []
    for pipeline in (None, room.pipeline):
        server.pipeline = pipeline
        await stream.write(items(b"1")[0])
        outcomes.append(await stream.read())
    await stream.done_writing()
    assert outcomes[0].problem.code == "not_ready"
    assert outcomes[1].result.status == ich_pb2.STATUS_CLASSIFIED
    assert outcomes[1].model.tag == "ich:1"


async def test_client_deadline_shortens_ours(stub: HemorrhageClassifierStub, room: Room) -> None:
    """The deadline of the client ends the work on the server, long before the service's own."""
    room.decoder.delays_s[b"1"] = 20.0
    found, _ = await refused(stub.Classify(request(b"1"), timeout=0.1))
    assert found is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: room.batcher.depth == 0)


async def test_cancelled_call_is_never_executed(stub: HemorrhageClassifierStub, room: Room) -> None:
    """A queued slice whose client cancels leaves the queue and is counted as cancelled."""
    before = counted("Classify", "cancelled")
    room.predictor.hold()
    busy = asyncio.create_task(room.classify(b"1"))
    await until(lambda: room.predictor.executed == [1])
    call = stub.Classify(request(b"2"))
    leaving = asyncio.create_task(refused(call))
    await until(lambda: room.batcher.depth == 2)
    leaving.cancel()
    call.cancel()
    await until(lambda: room.batcher.depth == 1)
    room.predictor.released.set()
    await busy
    await until(lambda: counted("Classify", "cancelled") - before == 1)
    assert room.predictor.executed == [1]


async def test_stream_answers_in_order(stub: HemorrhageClassifierStub, room: Room) -> None:
    """Answers come in the order of the requests, whichever slice was decoded first."""
    room.decoder.delays_s = {b"1": 0.03, b"2": 0.0, b"3": 0.01}
    answers = [answer async for answer in stub.ClassifyStream(items(b"1", b"2", b"3"))]
    assert [answer.id for answer in answers] == ["id-0", "id-1", "id-2"]
    assert [answer.result.index for answer in answers] == [0, 1, 2]
    assert [answer.result.file_name for answer in answers] == ["0.dcm", "1.dcm", "2.dcm"]
    assert [answer.result.sop_instance_uid for answer in answers] == ["1.2.1", "1.2.2", "1.2.3"]
    assert len({answer.request_id for answer in answers}) == 1


async def test_stream_answers_every_frame(stub: HemorrhageClassifierStub, room: Room) -> None:
    """A multi-frame object has one answer a frame, all with its id and index."""
    second = Decoded(UIDS, make_slice(3), (), 2, 2)
    room.decoder.outcomes[b"2"] = Decoded(UIDS, make_slice(2), (), 1, 2, (second,))
    answers = [answer async for answer in stub.ClassifyStream(items(b"1", b"2"))]
    assert [answer.id for answer in answers] == ["id-0", "id-1", "id-1"]
    assert [answer.result.index for answer in answers] == [0, 1, 1]
    assert [answer.result.frame for answer in answers] == [0, 1, 2]
    assert [answer.result.HasField("frame") for answer in answers] == [False, True, True]


async def test_failing_slice_does_not_end_the_stream(
    stub: HemorrhageClassifierStub, room: Room
) -> None:
    """A rejected slice, an empty one and one that meets a bug are answers among the others."""
    refusal = make_violation(Action.REJECT, "not_dicom")
    room.decoder.outcomes[b"2"] = Decoded(UIDS, None, (refusal,))
    stream = stub.ClassifyStream(items(b"1", b"2", b"", b"bug", b"4"))
    first, rejected, empty, bug, last = [answer async for answer in stream]
    assert first.result.status == last.result.status == ich_pb2.STATUS_CLASSIFIED
    assert rejected.result.status == ich_pb2.STATUS_REJECTED
    assert [error.code for error in rejected.result.errors] == ["not_dicom"]
    assert (empty.problem.code, bug.problem.code) == ("empty_request", "internal")
    assert await stream.code() is grpc.StatusCode.OK


async def test_stream_reads_only_its_window_ahead(
    stub: HemorrhageClassifierStub, room: Room
) -> None:
    """With the engine held the service takes two batches of a fast client and no more."""
    sent = 0

    async def endless() -> AsyncIterator[ich_pb2.ClassifyStreamRequest]:
        nonlocal sent
        for number in range(200):
            sent += 1
            yield ich_pb2.ClassifyStreamRequest(id=str(number), dicom=b"0" * 900 + b"7")

    room.predictor.hold()
    stream = stub.ClassifyStream(endless())
    answers = aiter(stream)
    first = asyncio.ensure_future(anext(answers))
    await until(lambda: room.decoder.calls == 8)
    await asyncio.sleep(0.1)
    assert room.decoder.calls == 8
    room.predictor.released.set()
    found = [await first, *[answer async for answer in answers]]
    assert [answer.id for answer in found] == [str(number) for number in range(200)]
    # Slowed, not refused: the queue of the room has no place for a ninth slice.
    assert {answer.WhichOneof("outcome") for answer in found} == {"result"}
    assert sent == 200


async def test_cancelled_stream_leaves_nothing_queued(
    stub: HemorrhageClassifierStub, room: Room
) -> None:
    """Everything that a stream had in the queue goes with its client."""
    room.predictor.hold()
    busy = asyncio.create_task(room.classify(b"1"))
    await until(lambda: room.predictor.executed == [1])
    stream = stub.ClassifyStream(items(b"2", b"3", b"4"))
    first = asyncio.create_task(anext(aiter(stream)))
    await until(lambda: room.batcher.depth == 4)
    stream.cancel()
    await until(lambda: room.batcher.depth == 1)
    first.cancel()
    room.predictor.released.set()
    await busy
    assert room.predictor.executed == [1]
