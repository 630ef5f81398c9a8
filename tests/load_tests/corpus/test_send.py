"""One file over each transport: status, stable code and every violation, or `unanswered`."""

from __future__ import annotations

from typing import Any

import grpc
import httpx
import pytest

from load_tests.corpus.send import by_grpc, by_http
from load_tests.corpus.verdicts import Answer
from service.rpc import ich_pb2

VIOLATIONS = {"errors": [{"code": "modality"}], "warnings": [{"code": "kernel"}]}


def http(answer: httpx.Response) -> Answer:
    """What `by_http` makes of an answer."""
    transport = httpx.MockTransport(lambda _: answer)
    with httpx.Client(base_url="http://test", transport=transport) as client:
        return by_http(client, b"body")


class Refusal(grpc.RpcError):  # type: ignore[misc]
    """A failed call."""

    def __init__(self, code: grpc.StatusCode, *metadata: tuple[str, str | bytes]) -> None:
        self._code, self._metadata = code, metadata

    def code(self) -> grpc.StatusCode:
        """Its status."""
        return self._code

    def trailing_metadata(self) -> Any:
        """Its metadata."""
        return self._metadata


class Stub:
    """A stub that gives one answer."""

    def __init__(self, answer: Exception | ich_pb2.ClassifyResponse) -> None:
        self._answer = answer

    def Classify(
        self, request: ich_pb2.ClassifyRequest, timeout: float
    ) -> ich_pb2.ClassifyResponse:
        """The answer, or the failure."""
        assert request.slices == [b"body"]
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_http_answers() -> None:
    """A classified slice, a refusal with its code, and a page that is no answer of ours."""
    found = http(httpx.Response(200, json={"slices": [VIOLATIONS | {"errors": []}] * 2}))
    assert found == Answer("http", "200", "classified", ("kernel",), slices=2)
    refusal = {"code": "modality", "slices": [VIOLATIONS]}
    found = http(httpx.Response(422, json=refusal))
    assert found == Answer("http", "422", "modality", ("kernel", "modality"))
    assert http(httpx.Response(502, text="<html>")) == Answer("http", "0", "unanswered")


def test_a_broken_connection_is_unanswered() -> None:
    """A service that closes the connection has given no verdict."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with httpx.Client(base_url="http://test", transport=httpx.MockTransport(refuse)) as client:
        assert by_http(client, b"").failed


def test_grpc_answers() -> None:
    """The same over gRPC: the code and the violations travel in the trailing metadata."""
    answer = ich_pb2.ClassifyResponse()
    answer.slices.add().warnings.add(code="kernel")
    assert by_grpc(Stub(answer), b"body") == Answer("grpc", "OK", "classified", ("kernel",))
    problem = ich_pb2.Problem()
    problem.violations.add().violation.code = "modality"
    refusal = Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        ("ich-code", "modality"),
        ("ich-problem-bin", problem.SerializeToString()),
    )
    expected = Answer("grpc", "FAILED_PRECONDITION", "modality", ("modality",))
    assert by_grpc(Stub(refusal), b"body") == expected


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN])
def test_a_grpc_failure_without_our_code_fails(code: grpc.StatusCode) -> None:
    """What gRPC itself refuses is no verdict."""
    found = by_grpc(Stub(Refusal(code)), b"body")
    assert found.code == "unanswered"
    assert found.failed
