"""Fixtures of the tests of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from service.engine.batcher import Batcher
from service.pipeline import Pipeline
from service.types import (
    ModelInfo,
)
from tests.service.fakes import (
    FakeDecoder,
    FakePredictor,
    make_manifest,
)
from tests.service.room import SETTINGS, Room


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    """A running pipeline whose batcher waits for a mate until the test times out, if it may."""
    predictor, decoder = FakePredictor(), FakeDecoder()
    batcher = Batcher(predictor, max_batch=4, max_wait_s=60.0, max_queue=8)
    pipeline = Pipeline(
        decoder, batcher, make_manifest(), ModelInfo("ich", "ich:1", "1.0.0"), SETTINGS
    )
    batcher.start()
    yield Room(predictor, decoder, batcher, pipeline)
    predictor.released.set()
    await batcher.stop(0)
