"""The short way of POST /classify: it is taken by that request alone, and answers as the route."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from service.api.direct import takes
from service.api.mount import Ahead

DICOM = {"content-type": "application/dicom"}


def scope(method: str, path: str, kind: str = "http") -> Scope:
    """The least that decides about the way."""
    return {"type": kind, "method": method, "path": path}


@pytest.mark.parametrize(
    ("asked", "direct"),
    [
        (scope("POST", "/classify"), True),
        (scope("GET", "/classify"), False),
        (scope("POST", "/classify/"), False),
        (scope("POST", "/readyz"), False),
        ({"type": "lifespan"}, False),
    ],
    ids=str,
)
async def test_only_one_request_goes_ahead(asked: Scope, direct: bool) -> None:
    """Everything else stays with the server's own router, its health routes among it."""
    went: list[str] = []

    def app(name: str) -> Any:
        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            went.append(name)

        return run

    await Ahead(app("theirs"), ours=app("ours"))(asked, None, None)  # type: ignore[arg-type]
    assert takes(asked) is direct
    assert went == ["ours" if direct else "theirs"]


async def test_the_framework_is_passed_by(
    app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice is answered although FastAPI itself would fail on every request."""

    async def broken(self: FastAPI, scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("the framework was asked")

    monkeypatch.setattr(FastAPI, "__call__", broken)
    answer = await client.post("/classify", content=b"1", headers=DICOM)
    assert answer.status_code == 200
    with pytest.raises(RuntimeError):
        await client.get("/readyz")


@pytest.mark.parametrize(
    ("sent", "status"),
    [("1000", 200), (" 1000 ", 200), ("0", 400), ("-5", 400), ("soon", 400), ("", 400)],
)
async def test_the_timeout_is_read_as_documented(
    client: httpx.AsyncClient, sent: str, status: int
) -> None:
    """A whole number of milliseconds from 1; anything else is a malformed request."""
    headers = DICOM | {"x-request-timeout-ms": sent}
    answer = await client.post("/classify", content=b"1", headers=headers)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["code"] == "malformed_request"
