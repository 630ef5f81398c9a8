"""Calling: settings with a free port, channels, and calls that are expected to fail."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from service.rpc import ich_pb2
from tests.service import room

# Port 0 lets the system choose; as a setting it would be refused.
SETTINGS = room.SETTINGS.model_copy(update={"grpc_port": 0})


CANCELLED = (grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)


def connected(port: int) -> grpc.aio.Channel:
    """A channel to a server on this machine, whatever proxy the environment names."""
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)])


async def refused(call: Any) -> tuple[grpc.StatusCode, dict[str, Any]]:
    """Status and trailing metadata of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    metadata = dict(caught.value.trailing_metadata() or ())
    # Without it the refusal is gRPC's own, and the reason stands only in its details.
    assert "ich-code" in metadata or caught.value.code() in CANCELLED, caught.value
    return caught.value.code(), metadata


def problem_in(metadata: dict[str, Any]) -> ich_pb2.Problem:
    """The problem of the trailing metadata."""
    return ich_pb2.Problem.FromString(metadata["ich-problem-bin"])


def items(*bodies: bytes) -> list[ich_pb2.ClassifyStreamRequest]:
    """Stream requests of these bodies, with ids and names by position."""
    return [
        ich_pb2.ClassifyStreamRequest(id=f"id-{place}", dicom=body, name=f"{place}.dcm")
        for place, body in enumerate(bodies)
    ]
