"""Fixtures of the HTTP tests: the app over a running pipeline with fakes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from service.api.app import create_app
from tests.service.room import SETTINGS, Room


@pytest.fixture
def app(room: Room) -> FastAPI:
    """The application of a worker that is ready."""
    made = create_app(SETTINGS)
    made.state.pipeline = room.pipeline
    return made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a socket in between."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield http
