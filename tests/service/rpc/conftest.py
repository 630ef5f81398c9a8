"""Fixtures of the gRPC tests: a real server on a free port over a pipeline with fakes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest

from service.rpc.ich_pb2_grpc import HemorrhageClassifierStub
from service.rpc.server import RpcServer
from tests.service.room import Room
from tests.service.rpc.calling import SETTINGS, connected


@pytest.fixture
async def server(room: Room) -> AsyncIterator[RpcServer]:
    """A started server of a worker that is ready."""
    made = RpcServer(room.pipeline, SETTINGS)
    await made.start()
    yield made
    await made.stop(0)


@pytest.fixture
async def channel(server: RpcServer) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the server."""
    async with connected(server.port) as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> HemorrhageClassifierStub:
    """A client of the classifier."""
    return HemorrhageClassifierStub(channel)
