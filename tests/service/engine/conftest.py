"""Fixtures of the engine tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.fakes import FakePredictor


@pytest.fixture
def predictor() -> Iterator[FakePredictor]:
    """An engine that is let go at the end, whatever the test did."""
    fake = FakePredictor()
    yield fake
    fake.released.set()
