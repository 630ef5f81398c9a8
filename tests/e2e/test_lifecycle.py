"""Start, refusal and end of the real service: what a supervisor and a load balancer see."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.rpc import ich_pb2, ich_pb2_grpc
from tests.e2e.running import ROOT, TARGET, RunningService, end, environment, free_ports, start

HTTP_CALLS = 16
GRPC_CALLS = 8


def send_whole(service: RunningService, body: bytes) -> socket.socket:
    """Send one complete POST /classify and leave the answer on the connection."""
    connection = socket.create_connection(("127.0.0.1", service.http_port), timeout=120)
    head = (
        "POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def status_of(connection: socket.socket) -> int:
    """Status of the one answer on a connection; 0 when it was closed without one."""
    with connection, connection.makefile("rb") as stream:
        line = stream.readline().split()
        return int(line[1]) if len(line) > 1 else 0


def seen_requests(service: RunningService) -> float:
    """Requests that the worker has begun, on both transports, answered or not."""
    with service.http() as client:
        text = client.get("/metrics").text
    rows = re.findall(r"^ich_(?:in_flight_requests|requests_total)\{(.*)\} (\S+)$", text, re.M)
    return sum(
        float(value) for labels, value in rows if "route" not in labels or "lassify" in labels
    )


def test_sigterm_under_load_loses_nothing(
    new_home: Callable[[str], Path], series: list[bytes]
) -> None:
    """Everything sent before the signal is answered on both transports, and the exit code is 0."""
    settings = {"ICH_SHUTDOWN_GRACE_S": "100", "ICH_DEADLINE_S": "100"}
    with start(new_home("drained"), **settings) as running:
        running.wait_for("/readyz", 200)
        connections = [send_whole(running, series[n]) for n in range(HTTP_CALLS)]
        with grpc.insecure_channel(running.target) as channel:
            stub = ich_pb2_grpc.HemorrhageClassifierStub(channel)
            requests = [ich_pb2.ClassifyRequest(slices=[series[n]]) for n in range(GRPC_CALLS)]
            calls = [stub.Classify.future(request, timeout=120) for request in requests]
            end_by = time.monotonic() + 60
            while seen_requests(running) < HTTP_CALLS + GRPC_CALLS and time.monotonic() < end_by:
                time.sleep(0.02)
            running.process.send_signal(signal.SIGTERM)
            assert [status_of(connection) for connection in connections] == [200] * HTTP_CALLS
            assert [len(call.result().slices) for call in calls] == [1] * GRPC_CALLS
        assert running.process.wait(60) == 0


def test_readiness_goes_first(new_home: Callable[[str], Path]) -> None:
    """After SIGTERM /readyz says 503 on both transports while connections are still accepted."""
    with start(new_home("noticed")) as running:
        running.wait_for("/readyz", 200)
        running.process.send_signal(signal.SIGTERM)
        seen: list[int] = []
        while running.process.poll() is None and 503 not in seen:
            seen.append(running.status("/readyz"))
        assert 503 in seen
        assert running.process.wait(60) == 0


def flip_one_bit(home: Path) -> None:
    """Change the lowest bit of one byte in the middle of the stored weights."""
    (weights,) = (home / "models").glob("*/*/model.safetensors")
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)


def test_flipped_bit_means_not_ready(new_home: Callable[[str], Path], sample: bytes) -> None:
    """Corrupt weights are never served: up, prompt, not ready on both transports, one reason."""
    home = new_home("corrupt")
    flip_one_bit(home)
    with start(home) as running:
        running.wait_for("/livez", 200)
        running.wait_for_event("model_refused")
        with running.http(timeout_s=5) as client:
            assert client.get("/readyz").status_code == 503
            answer = client.post(
                "/classify", content=sample, headers={"Content-Type": "application/dicom"}
            )
        assert answer.status_code == 503
        assert answer.json()["code"] == "not_ready"
        assert int(answer.headers["retry-after"]) >= 1
        with grpc.insecure_channel(running.target) as channel:
            health = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=5
            )
        assert health.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert running.terminate() == 0
        (refusal,) = running.wait_for_event("model_refused")
        assert refusal["reason"] == "the SHA-256 of model.safetensors differs from the manifest"


def test_bad_setting_ends_bentoml_serve_with_one_line(tmp_path: Path) -> None:
    """A misspelt setting is refused by plain `bentoml serve` too, before anything listens."""
    done = subprocess.run(
        [sys.executable, "-m", "bentoml", "serve", TARGET],
        cwd=ROOT,
        env=environment(tmp_path, ICH_HTP_PORT="3000"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "ich-serve refuses to start: unknown setting: ICH_HTP_PORT"


def launch(home: Path, log: Path) -> subprocess.Popen[bytes]:
    """What `make serve` runs once everything is set up."""
    http_port, grpc_port = (str(port) for port in free_ports(2))
    ports = {"ICH_HTTP_PORT": http_port, "ICH_GRPC_PORT": grpc_port}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.serve"],
            cwd=ROOT,
            env=environment(home, **ports),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def test_launcher_says_how_to_try_it_and_stops_cleanly(
    new_home: Callable[[str], Path], tmp_path: Path
) -> None:
    """One curl when ready; a second launch on the same home is refused; Ctrl-C ends with 0."""
    home, log = new_home("launched"), tmp_path / "launch.log"
    launcher = launch(home, log)
    try:
        end_by = time.monotonic() + 180
        while "curl " not in log.read_text() and time.monotonic() < end_by:
            assert launcher.poll() is None, log.read_text()
            time.sleep(0.2)
        second = launch(home, tmp_path / "second.log")
        assert second.wait(60) == 2
        assert "BENTOML_HOME" in (tmp_path / "second.log").read_text()
        launcher.send_signal(signal.SIGINT)
        assert launcher.wait(60) == 0
    finally:
        end(launcher)
    assert "Traceback" not in log.read_text()
