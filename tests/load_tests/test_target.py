"""Target: only this machine is ever loaded, and a service that is away is said to be away."""

from __future__ import annotations

import pytest

from load_tests.__main__ import main
from load_tests.target import LoadTestError, Target, is_loopback, require_ready, target_from
from tests.deploy.archive import free_port
from tests.deploy.flaky_service import FlakyService, Script


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.168.1.4", False),
        ("example.org", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    """Addresses of this machine and `localhost`; any other name could resolve to anything."""
    assert is_loopback(host) is expected


def test_ports_are_those_of_the_settings() -> None:
    """The variables that start the service also name the target; without them the defaults."""
    assert target_from({}) == Target("127.0.0.1", 3000, 50051)
    own = {"ICH_HTTP_PORT": "4000", "ICH_GRPC_PORT": "4001", "LOAD_TEST_HOST": "::1"}
    assert target_from(own).url == "http://[::1]:4000"
    assert target_from(own).address == "[::1]:4001"


@pytest.mark.parametrize(
    "environment", [{"LOAD_TEST_HOST": "example.org"}, {"ICH_HTTP_PORT": "http"}]
)
def test_other_hosts_and_bad_ports_are_refused(environment: dict[str, str]) -> None:
    """The run ends before the first packet."""
    with pytest.raises(LoadTestError):
        target_from(environment)


def test_absent_service_is_a_sentence_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing listens: exit code 2 and one line that says what to do."""
    monkeypatch.setenv("ICH_HTTP_PORT", str(free_port()))
    assert main([]) == 2
    assert "make serve" in capsys.readouterr().err


def test_service_that_is_not_ready_is_refused() -> None:
    """Readiness 503: the numbers would be those of a failure."""
    with FlakyService(Script(ready=False)) as service:
        port = int(service.url.rpartition(":")[2])
        with pytest.raises(LoadTestError, match="not ready"):
            require_ready(Target("127.0.0.1", port, 1))
