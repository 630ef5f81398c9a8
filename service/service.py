"""Service: the composition root; the only module of the service that knows BentoML.

bentoml serve service.service:IchService
  arbiter (holds the socket) ─> worker process ─> this module ─> service.worker
  any path  ─> service.api ─┐
  gRPC port ─> service.rpc ─┴─> service.pipeline

The arbiter imports this module too, so nothing here imports torch, and a bad setting ends the
start before there is a worker to restart over and over.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException

from service import log
from service.api.app import create_app
from service.api.mount import Ahead, mounted
from service.artifact import ArtifactError
from service.config import ConfigError, read_settings
from service.worker import FoundModel, Worker

try:
    settings = read_settings()
except ConfigError as refusal:
    sys.exit(f"ich-serve refuses to start: {refusal}")

# Swagger UI as BentoML ships it: a hospital network has no way to a CDN.
_DOCS = Path(bentoml.__file__).parent / "_internal" / "server" / "static_content"
app = create_app(settings, _DOCS if _DOCS.is_dir() else None)


def find_model() -> FoundModel:
    """The model of the settings, from the local store only.

    Raises:
        ArtifactError: the store has no such model.
    """
    try:
        stored = bentoml.models.get(settings.model)
    except BentoMLException as error:
        raise ArtifactError("ICH_MODEL names no model of the store") from error
    return FoundModel(Path(stored.path), str(stored.tag))


@bentoml.service(
    name="ich",
    workers=1,  # one per GPU: batches split over workers are smaller batches
    http={"host": settings.http_host, "port": settings.http_port},
    # Ours ends a request first, with a problem that says why.
    traffic={"timeout": settings.body_timeout_s + settings.deadline_s + 5.0},
    metrics={"enabled": False},  # its labels are raw paths
    tracing={"excluded_urls": ".*"},  # the middleware costs a third of the throughput
    logging={"access": {"enabled": False}},  # it prints raw paths as well
)
@bentoml.asgi_app(mounted(app), path="/")
class IchService:
    """The hooks by which BentoML drives one worker."""

    def __init__(self) -> None:
        # Before BentoML's first line of a worker: all of them are one format.
        log.configure(settings.log_level)
        logging.getLogger("bentoml").setLevel(logging.WARNING)
        self._worker = Worker(app, settings, find_model)

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def start(self) -> None:
        """Inside the worker's event loop, before HTTP is accepted."""
        await self._worker.start()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """After the last HTTP answer."""
        await self._worker.stop()

    async def __is_ready__(self) -> bool:
        """What BentoML's own /readyz answers."""
        return self._worker.ready


# The decorator has made a Service of the class, which mypy does not follow.
IchService.add_asgi_middleware(Ahead, ours=mounted(app))  # type: ignore[attr-defined]
