"""The life of one worker process: refused models, publication, the order of a drain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import grpc
import pytest
from fastapi import FastAPI
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service import metrics
from service import worker as module
from service.api.app import create_app
from service.artifact import ArtifactError
from service.config import Settings
from service.engine.choice import Choice
from service.worker import FoundModel, Worker
from tests.service.engine.engines import FakeEngine
from tests.service.fakes import FakePredictor, make_manifest

NOTICE_S = 0.2


class Proven(FakePredictor):
    """A fake engine that brings the manifest of a verified model, and how it was chosen."""

    manifest = make_manifest()
    choice = Choice(FakeEngine("torch"), "nothing else is here")


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The HTTP app that the worker publishes to."""
    return create_app(settings)


@pytest.fixture
def settings() -> Settings:
    """Free gRPC port, one decode process, a short grace."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return Settings(grpc_port=port, decode_workers=1, decode_timeout_s=30, shutdown_grace_s=0.5)


@pytest.fixture(autouse=True)
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The server's own handler of SIGTERM: what it was called with; pytest keeps its SIGINT."""
    monkeypatch.setattr(module, "DRAIN_NOTICE_S", NOTICE_S)
    called: list[int] = []

    def close(number: int, frame: FrameType | None) -> None:
        called.append(number)

    kept = signal.getsignal(signal.SIGINT), signal.signal(signal.SIGTERM, close)
    yield called
    signal.signal(signal.SIGINT, kept[0])
    signal.signal(signal.SIGTERM, kept[1])


async def until(condition: Any, within_s: float = 30.0) -> None:
    """Wait for a condition; the test fails when it does not come true."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def ready(
    app: FastAPI, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Worker]:
    """A worker that has published a fake engine."""
    monkeypatch.setattr(Worker, "_load_predictor", lambda self, folder: Proven())
    running = Worker(app, settings, lambda: FoundModel(Path("unused"), "ich:1"))
    await running.start()
    await until(lambda: running.ready)
    yield running
    await running.stop()


async def health_of(settings: Settings) -> str:
    """What the gRPC health service of the worker says."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{settings.grpc_port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def test_verified_model_is_published_to_both_skins(
    ready: Worker, app: FastAPI, settings: Settings
) -> None:
    """The pipeline names the model by its tag in the store and the engine; gRPC says SERVING."""
    assert app.state.pipeline.model.tag == "ich:1"
    assert app.state.pipeline.engine == Proven.choice.report()
    assert b'ich_engine_info{engine="torch",precision="fp32"} 1.0' in metrics.render()[0]
    assert await health_of(settings) == "SERVING"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ArtifactError("the weights are not what they were"), "the weights are not what they were"),
        (ValueError("Doe^Jane"), "unexpected failure"),
    ],
    ids=["fixed text is shown", "any other text is not"],
)
async def test_refused_model_leaves_an_answering_worker(
    error: Exception,
    reason: str,
    app: FastAPI,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not ready on both transports, one critical line with a reason that holds no input."""

    def find() -> FoundModel:
        raise error

    worker = Worker(app, settings, find)
    with caplog.at_level(logging.INFO, "service.worker"):
        await worker.start()
        await until(lambda: caplog.records)
    assert [(line.message, vars(line)["reason"]) for line in caplog.records] == [
        ("model_refused", reason)
    ]
    assert not worker.ready
    assert app.state.pipeline is None
    assert await health_of(settings) == "NOT_SERVING"
    await worker.stop()


async def test_taken_grpc_port_means_not_ready(
    app: FastAPI, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a service is none: the model is not even loaded, and the line names the port."""
    with socket.create_server(("127.0.0.1", settings.grpc_port)):
        worker = Worker(app, settings, lambda: pytest.fail("the model was looked for"))
        await worker.start()
    assert [line.message for line in caplog.records if line.name == "service.worker"] == [
        "grpc_port_refused"
    ]
    assert not worker.ready
    await worker.stop()


async def test_readiness_falls_before_the_server_hears_of_the_signal(
    ready: Worker, app: FastAPI, settings: Settings, signals: list[int]
) -> None:
    """SIGTERM: not ready at once on both transports, the server's handler after the notice."""
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: app.state.draining)
    assert not ready.ready
    assert signals == []
    assert await health_of(settings) == "NOT_SERVING"
    await until(lambda: signals)
    assert signals == [signal.SIGTERM]


async def test_work_past_the_grace_is_refused(ready: Worker, app: FastAPI) -> None:
    """The engine takes nothing any more once the grace after the signal is over."""
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: app.state.draining)
    assert app.state.pipeline.ready
    await until(lambda: not app.state.pipeline.ready)
