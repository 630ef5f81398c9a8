"""Tests of what every RPC shares: request id, deadline, log line."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from service.log import JsonFormatter
from service.rpc import ich_pb2
from service.rpc.calls import Call
from service.rpc.ich_pb2_grpc import HemorrhageClassifierStub
from tests.service.engine.serving import until
from tests.service.rpc.calling import refused

CANARY = "CANARY-1.2.840.99"


@pytest.mark.parametrize(("sent", "kept"), [("study-7_a.b", True), ("a b", False)])
async def test_request_id_is_taken_or_replaced(
    stub: HemorrhageClassifierStub, sent: str, kept: bool
) -> None:
    """A well-formed id of the client comes back, another is replaced by one of ours."""
    request = ich_pb2.ClassifyRequest(slices=[b"1"])
    answer = await stub.Classify(request, metadata=[("x-request-id", sent)])
    assert (answer.request_id == sent) is kept
    assert answer.request_id


async def test_sooner_deadline_counts() -> None:
    """Work may take as long as the service allows, but never longer than the client waits."""
    now = asyncio.get_running_loop().time()
    patient, hurried = Call("m", "id", float("inf")), Call("m", "id", now + 2)
    assert patient.deadline(30) == pytest.approx(now + 30, abs=1)
    assert hurried.deadline(30) == now + 2


def ours(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The records of this room; gRPC's own are not shown by the formatter."""
    return [record for record in caplog.records if record.name.startswith("service.rpc")]


async def test_bug_is_logged_by_type_only(
    stub: HemorrhageClassifierStub, caplog: pytest.LogCaptureFixture
) -> None:
    """The text of an exception, and names that were sent, reach neither log nor client."""
    request = ich_pb2.ClassifyRequest(slices=[CANARY.encode()], names=[CANARY])
    with caplog.at_level(logging.INFO):
        _, metadata = await refused(stub.Classify(request))
        # The client has its status before the server has written its line.
        await until(lambda: len(ours(caplog)) == 2)
    lines = [JsonFormatter().format(record) for record in ours(caplog)]
    assert [json.loads(line)["event"] for line in lines] == ["internal_error", "request"]
    assert not any(CANARY in line for line in lines)
    assert CANARY.encode() not in metadata["ich-problem-bin"]
    shown: dict[str, Any] = json.loads(lines[1])
    found = {name: shown[name] for name in ("transport", "route", "outcome", "slices")}
    assert found == {
        "transport": "grpc",
        "route": "Classify",
        "outcome": "internal",
        "slices": 1,
    }
