"""Tests of the server: health, reflection, draining, and calls that finish within the grace."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from service.rpc import ich_pb2
from service.rpc.ich_pb2_grpc import HemorrhageClassifierStub
from service.rpc.server import SERVICE, RpcServer
from tests.service.engine.serving import until
from tests.service.room import Room

STATES = health_pb2.HealthCheckResponse


async def health_of(channel: grpc.aio.Channel, name: str = "") -> Any:
    """What the health service says of a name."""
    stub = health_pb2_grpc.HealthStub(channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=name))).status


@pytest.mark.parametrize("name", ["", "ich.v1.HemorrhageClassifier"])
async def test_health_follows_readiness(
    channel: grpc.aio.Channel, server: RpcServer, room: Room, name: str
) -> None:
    """Serving with a running pipeline; not without one, with a stopped engine, or draining."""
    assert await health_of(channel, name) == STATES.SERVING
    server.pipeline = None
    assert await health_of(channel, name) == STATES.NOT_SERVING
    server.pipeline = room.pipeline
    assert await health_of(channel, name) == STATES.SERVING
    await room.batcher.stop(0)
    assert await health_of(channel, name) == STATES.NOT_SERVING


async def test_draining_is_seen_while_work_is_still_done(
    channel: grpc.aio.Channel, server: RpcServer
) -> None:
    """After `drain` health says NOT_SERVING, and a call is still answered."""
    server.drain()
    assert not server.serving
    assert await health_of(channel) == STATES.NOT_SERVING
    request = ich_pb2.ClassifyRequest(slices=[b"1"])
    assert len((await HemorrhageClassifierStub(channel).Classify(request)).slices) == 1


async def test_watcher_learns_of_the_model(channel: grpc.aio.Channel, server: RpcServer) -> None:
    """Who watches is told when a model is taken away and when it comes back."""
    pipeline = server.pipeline
    watch = aiter(health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()))
    seen = [(await anext(watch)).status]
    server.pipeline = None
    seen.append((await anext(watch)).status)
    server.pipeline = pipeline
    seen.append((await anext(watch)).status)
    assert seen == [STATES.SERVING, STATES.NOT_SERVING, STATES.SERVING]


async def test_stop_finishes_what_runs(
    channel: grpc.aio.Channel, server: RpcServer, room: Room
) -> None:
    """A call that was admitted before the stop is answered; a new one is refused."""
    stub = HemorrhageClassifierStub(channel)
    room.predictor.hold()
    running = asyncio.ensure_future(stub.Classify(ich_pb2.ClassifyRequest(slices=[b"1"])))
    await until(lambda: room.predictor.executed == [1])
    stopping = asyncio.create_task(server.stop(5))
    await asyncio.sleep(0.05)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Classify(ich_pb2.ClassifyRequest(slices=[b"2"]))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    room.predictor.released.set()
    assert len((await running).slices) == 1
    await stopping


async def test_reflection_names_the_service(channel: grpc.aio.Channel) -> None:
    """A generic client finds the classifier and its file without our stubs."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
    ]
    listed, described = [item async for item in stub.ServerReflectionInfo(iter(requests))]
    assert SERVICE in {item.name for item in listed.list_services_response.service}
    (file,) = described.file_descriptor_response.file_descriptor_proto
    assert file == ich_pb2.DESCRIPTOR.serialized_pb


async def test_address_in_use_ends_the_start(server: RpcServer, room: Room) -> None:
    """A host that is not this machine's cannot be bound, and that is no silent success."""
    settings = server._settings.model_copy(update={"grpc_host": "203.0.113.1"})
    with pytest.raises(RuntimeError):
        await RpcServer(room.pipeline, settings).start()
