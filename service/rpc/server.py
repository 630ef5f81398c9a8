"""Server: grpc.aio with the classifier, health and reflection, started in the worker's hooks.

start ─> NOT_SERVING ─> pipeline published ─> SERVING ─> drain ─> NOT_SERVING ─> stop(grace)
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from service.config import MIB, Settings
from service.pipeline import Pipeline
from service.rpc import ich_pb2, ich_pb2_grpc
from service.rpc.servicer import Servicer

SERVICE = ich_pb2.DESCRIPTOR.services_by_name["HemorrhageClassifier"].full_name
# Above our own limit, so that a message just over it gets our code and not only gRPC's refusal.
MESSAGE_MARGIN = MIB
# Refusals are cheap and carry a retry hint; gRPC's own refusal is only the last resort.
RPC_MARGIN = 64


class RpcServer:
    """One gRPC server; it answers before there is a model, and says that there is none.

    Args:
        pipeline: None until the model is verified; set `pipeline` then.
        settings: address, limits and deadlines.
    """

    def __init__(self, pipeline: Pipeline | None, settings: Settings) -> None:
        self._settings = settings
        self._servicer = Servicer(settings)
        self._servicer.pipeline = pipeline
        self._health = _Readiness(self)
        self._draining = False
        self._server: Any = None
        self._background: set[asyncio.Task[None]] = set()
        self.port = 0  # the bound port, once started

    @property
    def pipeline(self) -> Pipeline | None:
        """What classifies; None while not ready."""
        return self._servicer.pipeline

    @pipeline.setter
    def pipeline(self, pipeline: Pipeline | None) -> None:
        self._servicer.pipeline = pipeline
        self._run(self._health.refresh())

    @property
    def serving(self) -> bool:
        """What the health service says."""
        return self.pipeline is not None and self.pipeline.ready and not self._draining

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            RuntimeError: the address cannot be bound.
        """
        settings = self._settings
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", settings.max_request_bytes + MESSAGE_MARGIN),
                ("grpc.so_reuseport", 1),  # the workers share the port
            ),
            maximum_concurrent_rpcs=settings.max_queue + RPC_MARGIN,
        )
        ich_pb2_grpc.add_HemorrhageClassifierServicer_to_server(self._servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        await self._health.refresh()
        address = f"{settings.grpc_host}:{settings.grpc_port}"
        self.port = self._server.add_insecure_port(address)
        await self._server.start()

    def drain(self) -> None:
        """Say NOT_SERVING from now on; work is still taken, until `stop`."""
        self._draining = True
        self._run(self._health.enter_graceful_shutdown())

    async def stop(self, grace_s: float) -> None:
        """Take no new call, finish the running ones within the grace, cancel the rest."""
        self._draining = True
        await self._health.enter_graceful_shutdown()
        if self._server is not None:
            await self._server.stop(grace_s)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


class _Readiness(health.aio.HealthServicer):  # type: ignore[misc]  # grpc ships no types
    """The standard health service; a check asks the pipeline, so that it is never stale."""

    def __init__(self, server: RpcServer) -> None:
        super().__init__()
        self._rpc = server

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        """Answer one check with the state of now."""
        await self.refresh()
        return await super().Check(request, context)

    async def refresh(self) -> None:
        """Publish the state to both names, and to those who watch them."""
        codes = health_pb2.HealthCheckResponse
        status = codes.SERVING if self._rpc.serving else codes.NOT_SERVING
        for name in ("", SERVICE):
            await self.set(name, status)
