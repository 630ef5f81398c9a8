"""Room: a pipeline with its fakes at hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from service.config import Settings
from service.engine.batcher import Batcher
from service.pipeline import Pipeline
from service.types import (
    Classification,
    Identity,
    Upload,
)
from tests.service.fakes import (
    FakeDecoder,
    FakePredictor,
)

SETTINGS = Settings(
    max_files=8, max_queue=8, max_slice_bytes=1024, max_object_bytes=1024, max_batch=4
)
UIDS = Identity("1.2.3", "1.2", "1")


@dataclass
class Room:
    """A pipeline with its fakes at hand."""

    predictor: FakePredictor
    decoder: FakeDecoder
    batcher: Batcher
    pipeline: Pipeline

    async def classify(self, *bodies: bytes, within_s: float = 30.0) -> Classification:
        """One request of these bodies, named by their position."""
        return await self.pipeline.classify(
            [Upload(body, f"{place}.dcm") for place, body in enumerate(bodies)],
            request_id="request",
            deadline=asyncio.get_running_loop().time() + within_s,
            transport="http",
            receive_s=0.25,
        )
