"""The launcher behind `make serve`: what it refuses, what it prints, what it waits for."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import serve
from service.config import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket that really listens on a free loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def flaky() -> Iterator[http.server.HTTPServer]:
    """A real server whose first two answers are 503 and all later ones 200."""

    class Handler(http.server.BaseHTTPRequestHandler):
        answers = 0

        def do_GET(self) -> None:
            Handler.answers += 1
            self.send_response(503 if Handler.answers < 3 else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_second_claim_of_a_home_is_refused(tmp_path: Path) -> None:
    """Two services on one BENTOML_HOME would blank each other's metrics."""
    with serve.claim(tmp_path), pytest.raises(serve.LaunchError, match="BENTOML_HOME"):
        serve.claim(tmp_path)
    serve.claim(tmp_path).close()


def test_busy_port_is_named_with_its_setting(listening: socket.socket) -> None:
    """The sentence says which port is taken and which setting moves it."""
    port = listening.getsockname()[1]
    with pytest.raises(serve.LaunchError, match=f"{port} .*ICH_HTTP_PORT"):
        serve.require_free("127.0.0.1", port, "ICH_HTTP_PORT")


def test_free_port_is_accepted(listening: socket.socket) -> None:
    """A port that nobody listens on any more passes."""
    port = listening.getsockname()[1]
    listening.close()
    serve.require_free("127.0.0.1", port, "ICH_HTTP_PORT")


@pytest.mark.parametrize(
    ("bound", "typed"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]")],
    ids=["loopback", "every IPv4 address", "every IPv6 address", "IPv6 loopback"],
)
def test_printed_host_can_be_connected_to(bound: str, typed: str) -> None:
    """An address to bind to is not always one to connect to."""
    assert serve.reachable(bound) == typed


def test_waiting_ends_with_the_first_200(flaky: http.server.HTTPServer) -> None:
    """503 means keep waiting."""
    url = f"http://127.0.0.1:{flaky.server_port}/readyz"
    assert serve.wait_ready(url, lambda: True, timeout_s=20)


def test_waiting_ends_with_the_service(listening: socket.socket) -> None:
    """A service that died is not waited for."""
    assert not serve.wait_ready("http://127.0.0.1:9/readyz", lambda: False, timeout_s=20)


def test_waiting_ends_with_the_time() -> None:
    """A service that never gets ready is given up on."""
    assert not serve.wait_ready("http://127.0.0.1:9/readyz", lambda: True, timeout_s=0.3)


def test_welcome_names_both_addresses_and_a_sample_that_exists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The printed curl works as it stands, from the root of the checkout."""
    monkeypatch.setenv("ICH_HTTP_PORT", "4001")
    monkeypatch.setenv("ICH_GRPC_PORT", "4002")
    text = serve.welcome(Settings())
    assert "http://127.0.0.1:4001/classify" in text
    assert "127.0.0.1:4002" in text
    assert text.count("curl ") == 1
    assert f"@{serve.SAMPLE} " in text
    assert (ROOT / serve.SAMPLE).is_file()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ICH_HTTP_PORT", "many", "ICH_HTTP_PORT"),
        ("ICH_HTP_PORT", "3000", "unknown setting: ICH_HTP_PORT"),
        ("ICH_MAX_QUEUE", "3", "ICH_MAX_QUEUE must be at least ICH_MAX_FILES"),
    ],
    ids=["invalid value", "misspelt name", "limits that contradict"],
)
def test_bad_setting_is_refused_in_one_line(
    name: str,
    value: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is started, and the one line names the setting."""
    monkeypatch.setenv(name, value)
    assert serve.main() == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_busy_port_ends_the_launch(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The launcher itself, not BentoML's traceback, tells that the port is taken."""
    monkeypatch.setenv("ICH_HTTP_PORT", str(listening.getsockname()[1]))
    assert serve.main() == 2
    assert "ICH_HTTP_PORT" in capsys.readouterr().err
