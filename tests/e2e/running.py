"""Running: the real service as a separate process on free loopback ports, with its own store.

start(home, ICH_...) -> RunningService -> http(), port numbers, terminate() -> exit code, log text
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[2]
TARGET = "service.service:IchService"
START_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class RunningService:
    """A started service; `log` is the file with everything that it printed."""

    process: subprocess.Popen[bytes]
    http_port: int
    grpc_port: int
    log: Path

    @property
    def url(self) -> str:
        """Base address of the HTTP API."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def target(self) -> str:
        """Address of the gRPC API."""
        return f"127.0.0.1:{self.grpc_port}"

    def http(self, timeout_s: float = 30.0) -> httpx.Client:
        """A client of its own for the HTTP API, without proxies of the environment."""
        return httpx.Client(base_url=self.url, timeout=timeout_s, trust_env=False)

    def status(self, path: str, timeout_s: float = 2.0) -> int:
        """Status of one GET, 0 when there is no answer in time."""
        try:
            with self.http(timeout_s) as client:
                return client.get(path).status_code
        except httpx.HTTPError:
            return 0

    def wait_for(self, path: str, status: int) -> None:
        """Poll until a GET answers the status; fails with the log when it does not."""
        end = time.monotonic() + START_TIMEOUT_S
        while self.process.poll() is None and time.monotonic() < end:
            if self.status(path) == status:
                return
            time.sleep(0.2)
        raise AssertionError(f"{path} never answered {status}:\n{self.log.read_text()[-4000:]}")

    def wait_for_event(self, event: str, count: int = 1) -> list[dict[str, object]]:
        """Wait until the log holds so many lines of an event; returns them."""
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end:
            lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
            found = [line for line in map(json.loads, lines) if line["event"] == event]
            if len(found) >= count:
                return found
            time.sleep(0.2)
        raise AssertionError(f"no event {event}:\n{self.log.read_text()[-4000:]}")

    def terminate(self, timeout_s: float = 60.0) -> int:
        """SIGTERM, then the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment, all different."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [server.getsockname()[1] for server in sockets]


def environment(home: Path, **settings: str) -> dict[str, str]:
    """The environment of a service: nothing of ours but what is given."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ICH_")}
    own = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true", "ICH_DEVICE": "cpu"}
    return inherited | own | settings


@contextmanager
def start(
    home: Path, target: str = TARGET, cwd: Path = ROOT, **settings: str
) -> Iterator[RunningService]:
    """Start the service from a home folder; whatever is left of it at the end is killed.

    Args:
        home: BENTOML_HOME; no two running services may share one.
        target: what `bentoml serve` is given.
        cwd: the folder that it is started in.
        settings: environment variables.
    """
    http_port, grpc_port = free_ports(2)
    ports = {"ICH_HTTP_PORT": str(http_port), "ICH_GRPC_PORT": str(grpc_port)}
    log = home / "service.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "serve", target],
            cwd=cwd,
            env=environment(home, **(ports | settings)),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield RunningService(process, http_port, grpc_port, log)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a service, and kill it and its children when it does not go."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:
        if child.is_running():
            child.kill()
