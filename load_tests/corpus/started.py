"""Started: the service that a corpus run talks to: one of its own, or one that runs already."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from deploy.serve import ROOT, wait_ready
from load_tests.corpus.family import Family, listening_on
from load_tests.target import LoadTestError, Target, require_ready, target_from

STOP_TIMEOUT_S = 60.0


def named(text: str, environment: Mapping[str, str] = os.environ) -> Target:
    """The target of `HOST[:HTTP_PORT[:GRPC_PORT]]`; what is left out comes from the settings.

    Raises:
        LoadTestError: the host is not this machine, or a port is no number.
    """
    parts = text.split(":")
    names = ("LOAD_TEST_HOST", "ICH_HTTP_PORT", "ICH_GRPC_PORT")
    if len(parts) > len(names):
        raise LoadTestError("TARGET is HOST, HOST:HTTP_PORT or HOST:HTTP_PORT:GRPC_PORT.")
    return target_from({**environment, **dict(zip(names, parts, strict=False))})


@contextmanager
def service(target: str, log: Path) -> Iterator[tuple[Target, Family]]:
    """The running service that `target` names, or a new one for an empty name.

    Raises:
        LoadTestError: there is no ready service.
    """
    if target:
        running = named(target)
        require_ready(running)
        yield running, Family(listening_on(running.http_port))
        return
    with log.open("wb") as output:
        yield from _start(output.fileno())


def _start(output: int) -> Iterator[tuple[Target, Family]]:
    """Start `deploy.serve` on free ports, and end it."""
    http_port, grpc_port = _free_port(), _free_port()
    ports = {"ICH_HTTP_PORT": str(http_port), "ICH_GRPC_PORT": str(grpc_port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.serve"],
        cwd=ROOT,
        env=os.environ | ports,
        stdout=output,
        stderr=output,
    )
    target = Target("127.0.0.1", http_port, grpc_port)
    try:
        if not wait_ready(f"{target.url}/readyz", lambda: process.poll() is None):
            raise LoadTestError("The service did not start; service.log beside the table says why.")
        yield target, Family(psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
