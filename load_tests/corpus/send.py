"""Send: one file over HTTP and over gRPC, and the verdict that came back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import grpc
import httpx

from load_tests.corpus.verdicts import CLASSIFIED, UNANSWERED, Answer
from load_tests.target import Target
from service.rpc import ich_pb2, ich_pb2_grpc

TIMEOUT_S = 30.0
_DICOM = {"Content-Type": "application/dicom"}
# A file over the message size has to reach the service to be refused by it.
_OPTIONS = (("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 0))


class Sender(Protocol):
    """One transport."""

    def __call__(self, body: bytes) -> Answer:
        """Send one object alone in its request."""


@contextmanager
def senders(target: Target) -> Iterator[tuple[Sender, Sender]]:
    """HTTP and gRPC, each over one connection."""
    with (
        httpx.Client(base_url=target.url, timeout=TIMEOUT_S, trust_env=False) as client,
        grpc.insecure_channel(target.address, options=_OPTIONS) as channel,
    ):
        stub = ich_pb2_grpc.HemorrhageClassifierStub(channel)
        yield (lambda body: by_http(client, body)), (lambda body: by_grpc(stub, body))


def by_http(client: httpx.Client, body: bytes) -> Answer:
    """POST /classify with the object as the body."""
    try:
        answer = client.post("/classify", content=body, headers=_DICOM)
        content = answer.json()
    except (httpx.HTTPError, ValueError):
        return Answer("http", "0", UNANSWERED)
    slices = content.get("slices", [])
    found = {
        violation["code"] for item in slices for violation in (*item["errors"], *item["warnings"])
    }
    code = CLASSIFIED if answer.status_code == 200 else str(content.get("code", UNANSWERED))
    count = max(1, len(slices))
    return Answer("http", str(answer.status_code), code, tuple(sorted(found)), count)


def by_grpc(stub: ich_pb2_grpc.HemorrhageClassifierStub, body: bytes) -> Answer:
    """Classify with one slice."""
    try:
        answer = stub.Classify(ich_pb2.ClassifyRequest(slices=[body]), timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        return _refusal(error)
    found = {
        violation.code for item in answer.slices for violation in (*item.errors, *item.warnings)
    }
    status, count = grpc.StatusCode.OK.name, len(answer.slices)
    return Answer("grpc", status, CLASSIFIED, tuple(sorted(found)), count)


def _refusal(error: grpc.RpcError) -> Answer:
    """The stable code travels in the trailing metadata; gRPC's own refusals have none."""
    metadata = dict(error.trailing_metadata() or ())
    problem = ich_pb2.Problem.FromString(metadata.get("ich-problem-bin", b""))
    found = sorted({item.violation.code for item in problem.violations})
    code = metadata.get("ich-code", UNANSWERED)
    return Answer("grpc", error.code().name, code, tuple(found))
