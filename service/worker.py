"""Worker: what one process of the service owns, from its start to its last answer.

start    gRPC listens, a thread loads the model: every probe is answered, with "not ready"
ready    hashes verified, golden vectors replayed, warmed; both skins get the pipeline
signal   readiness false ─> both transports stop accepting ─> what was admitted is answered
stop     RPCs ─> engine ─> decode processes

No BentoML here: `service.service` finds the model and calls these hooks.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from service import metrics
from service.artifact import ArtifactError
from service.config import MIB, Settings
from service.dicom.limits import Caps
from service.dicom.pool import DecodePool
from service.engine.batcher import Batcher
from service.pipeline import Pipeline
from service.rpc.server import RpcServer
from service.types import ModelInfo

if TYPE_CHECKING:
    from service.engine.predictor import Predictor

# Readiness is false for this long before the socket closes, so that a load balancer sees
# "not ready" instead of a reset connection. Work that still arrives meanwhile is done.
DRAIN_NOTICE_S = 1.0

SignalHandler = Callable[[int, FrameType | None], Any]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model folder and the tag under which the store knows it."""

    folder: Path
    tag: str


class Worker:
    """Owns the engine, the decode processes and the gRPC server of one process.

    Args:
        app: the HTTP app; its state gets the pipeline, and the news of a drain.
        settings: all of them.
        find_model: finds the model folder, in a thread; raises ArtifactError without one.
    """

    def __init__(
        self, app: FastAPI, settings: Settings, find_model: Callable[[], FoundModel]
    ) -> None:
        self._app = app
        self._settings = settings
        self._find_model = find_model
        self._rpc = RpcServer(None, settings)
        self._decoder: DecodePool | None = None
        self._batcher: Batcher | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether new requests are wanted."""
        running = self._batcher is not None and self._batcher.running
        return running and not self._app.state.draining

    async def start(self) -> None:
        """Answer at once and load behind that: a start that waits leaves every probe hanging."""
        metrics.forget_dead_workers()
        self._put_drain_first()
        try:
            await self._rpc.start()
        except RuntimeError:
            # Raised again, it would restart the process for ever; half a service is not ready.
            _log.critical("grpc_port_refused", extra={"grpc_port": self._settings.grpc_port})
        else:
            self._run(self._load())

    async def stop(self) -> None:
        """Finish the calls still running and the engine, each within the grace; end the rest."""
        grace_s = self._settings.shutdown_grace_s
        await self._rpc.stop(grace_s)
        if self._batcher is not None:
            await self._batcher.stop(grace_s)
        if self._decoder is not None:
            await self._decoder.stop()

    async def _load(self) -> None:
        """Load, prove and publish the model; a bad one leaves the process up and not ready."""
        try:
            found = await asyncio.to_thread(self._find_model)
            predictor = await asyncio.to_thread(self._load_predictor, found.folder)
            await self._publish(predictor, found.tag)
        except Exception as error:
            # Only the texts of ArtifactError are fixed ones, so only they may be shown.
            reason = str(error) if isinstance(error, ArtifactError) else "unexpected failure"
            _log.critical("model_refused", exc_info=error, extra={"reason": reason})

    def _load_predictor(self, folder: Path) -> Predictor:
        """Load and prove a model folder; torch is imported here and nowhere before."""
        from service.engine.choice import Wish
        from service.engine.predictor import Predictor

        settings = self._settings
        predictor = Predictor.load(
            folder,
            device=settings.device,
            threads=settings.thread_count,
            max_batch=settings.max_batch,
            wish=Wish(settings.engine, settings.precision),
        )
        predictor.self_check()
        return predictor

    async def _publish(self, predictor: Predictor, tag: str) -> None:
        """Start what stands between the transports and the engine, then open the doors."""
        settings, manifest = self._settings, predictor.manifest
        self._decoder = DecodePool(
            settings.decode_worker_count,
            settings.decode_timeout_s,
            settings.decode_memory_mib * MIB,
            Caps(max_bytes=settings.max_slice_bytes),
            metrics.record_decoder_restart,
        )
        await self._decoder.start()
        self._batcher = Batcher(
            predictor,
            max_batch=settings.max_batch,
            max_wait_s=settings.max_wait_ms / 1000,
            max_queue=settings.max_queue,
        )
        self._batcher.start()
        assumed = dict(zip(manifest.labels, manifest.assumed_prevalence, strict=False))
        model = ModelInfo(manifest.name, tag, manifest.version, assumed)
        engine = predictor.choice.engine
        metrics.set_engine(engine.name, engine.precision)
        report = predictor.choice.report()
        pipeline = Pipeline(self._decoder, self._batcher, manifest, model, settings, report)
        self._app.state.pipeline = self._rpc.pipeline = pipeline
        chosen = {"engine": engine.name, "precision": engine.precision, "reason": report["reason"]}
        _log.info("engine_chosen", extra=chosen)
        _log.info("ready", extra={"model": tag, "fingerprint": manifest.fingerprint()})

    def _put_drain_first(self) -> None:
        """Stand in front of the server's signal handlers, which close the socket at once."""
        loop = asyncio.get_running_loop()

        def stand_before(close: SignalHandler) -> SignalHandler:
            return lambda number, _: loop.call_soon_threadsafe(self._drain, close, number)

        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.getsignal(number)
            if callable(handler):  # else no server has taken the signal
                signal.signal(number, stand_before(handler))

    def _drain(self, close: SignalHandler, number: int) -> None:
        """Readiness false first, sockets later; a second signal closes them at once."""
        _log.info("draining", extra={"signal": number})
        notice_s = 0.0 if self._app.state.draining else DRAIN_NOTICE_S
        self._app.state.draining = True
        self._rpc.drain()
        asyncio.get_running_loop().call_later(notice_s, self._close, close, number)

    def _close(self, close: SignalHandler, number: int) -> None:
        """Both transports stop accepting together; past the grace what still waits is refused."""
        grace_s = self._settings.shutdown_grace_s
        self._run(self._rpc.stop(grace_s))
        self._run(self._refuse_after(grace_s))
        close(number, None)

    async def _refuse_after(self, grace_s: float) -> None:
        await asyncio.sleep(grace_s)
        if self._batcher is not None:
            await self._batcher.stop(0.0)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Keep a reference: the loop itself would let a running task be collected."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
