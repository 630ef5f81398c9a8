"""Launched: the benchmark's own service on free ports, and what each of its processes uses.

home with the committed model ─> bentoml serve load_tests.serve_bench.entry ─> Launched
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.serve import ROOT, wait_ready
from load_tests.target import LoadTestError, Target

ENTRY = "load_tests.serve_bench.entry:IchService"
STOP_TIMEOUT_S = 60.0
WORKER, DECODE, ARBITER, OTHER = "worker", "decode", "arbiter", "other"


@dataclass(frozen=True, slots=True)
class Launched:
    """A service that is ready; its processes by what they do."""

    target: Target
    root: psutil.Process

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Every process of the service, by role."""
        found: dict[str, list[psutil.Process]] = {}
        for process in (self.root, *self.root.children(recursive=True)):
            found.setdefault(_role(process, self.root), []).append(process)
        return found

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds since their start, user and system, by role."""
        return {
            role: sum(_cpu_s(process) for process in processes)
            for role, processes in self.processes().items()
        }

    def memory_mib(self) -> dict[str, list[tuple[float, float]]]:
        """Resident and proportional set size of each process in MiB, by role."""
        return {
            role: [_memory_mib(process) for process in processes]
            for role, processes in self.processes().items()
        }


def _role(process: psutil.Process, root: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    if process.pid == root.pid:
        return ARBITER
    if "service.dicom.worker" in line:
        return DECODE
    return WORKER if "_bentoml_impl.worker" in line else OTHER


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory_mib(process: psutil.Process) -> tuple[float, float]:
    memory = process.memory_full_info()
    return memory.rss / 2**20, memory.pss / 2**20


def prepare(home: Path) -> None:
    """Import the committed model into a BENTOML_HOME, by the documented command."""
    command = [sys.executable, "-m", "model_build", "save", "--pretrained"]
    environment = os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


@contextmanager
def launched(home: Path, engine: str, **settings: str) -> Iterator[Launched]:
    """Start the service with one engine of `entry`; it is ended, with all its processes.

    Args:
        home: a prepared BENTOML_HOME that no other service uses.
        engine: a value of BENCH_ENGINE.
        settings: further environment variables.

    Raises:
        LoadTestError: it did not become ready.
    """
    http_port, grpc_port = _free_ports()
    ours = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true", "BENCH_ENGINE": engine}
    ports = {"ICH_HTTP_PORT": str(http_port), "ICH_GRPC_PORT": str(grpc_port)}
    log = home / f"{engine}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "serve", ENTRY],
            cwd=ROOT,
            env=_inherited(os.environ) | ours | ports | settings,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    target = Target("127.0.0.1", http_port, grpc_port)
    try:
        if not wait_ready(f"{target.url}/readyz", lambda: process.poll() is None):
            raise LoadTestError(f"The service did not start:\n{log.read_text()[-2000:]}")
        yield Launched(target, psutil.Process(process.pid))
    finally:
        _end(process)


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Settings of the caller's shell stay out, but for those that name the engine's hardware."""
    kept = ("ICH_DEVICE", "ICH_ENGINE", "ICH_PRECISION", "ICH_THREADS", "ICH_MAX_BATCH")
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("ICH_") or name in kept
    }


def _free_ports() -> list[int]:
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        return [int(server.getsockname()[1]) for server in servers]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
