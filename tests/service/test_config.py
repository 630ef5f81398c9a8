"""Tests of the settings: each limit refuses what is outside, and a typing error is found."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from service.config import (
    MIB,
    ORDERED,
    ConfigError,
    Settings,
    available_cores,
    read_settings,
    unknown_settings,
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without the settings of whoever runs the tests."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ICH_{name.upper()}", raising=False)


def test_defaults_are_valid_and_local() -> None:
    """Without any variable the service listens on loopback only."""
    settings = read_settings()
    assert (settings.http_host, settings.grpc_host) == ("127.0.0.1", "127.0.0.1")
    assert settings.max_slice_bytes == 4 * MIB


def test_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with the prefix sets its field, with its type."""
    monkeypatch.setenv("ICH_MAX_WAIT_MS", "7.5")
    monkeypatch.setenv("ICH_HTTP_PORT", "8080")
    settings = read_settings()
    assert (settings.max_wait_ms, settings.http_port) == (7.5, 8080)


def test_every_setting_is_described() -> None:
    """The table in the README is made of these descriptions."""
    assert [name for name, item in Settings.model_fields.items() if not item.description] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("http_port", "0"),
        ("http_port", "65536"),
        ("max_batch", "0"),
        ("max_wait_ms", "-1"),
        ("max_queue", "many"),
        ("deadline_s", "0"),
        ("deadline_s", "nan"),
        ("device", "tpu"),
        ("log_level", "loud"),
        ("decode_memory_mib", "1"),
    ],
)
def test_value_outside_its_range_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The refusal names the variable, so that the operator finds it."""
    monkeypatch.setenv(f"ICH_{name.upper()}", value)
    with pytest.raises(ConfigError, match=f"ICH_{name.upper()}"):
        read_settings()


def test_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt setting ends the start instead of being ignored."""
    monkeypatch.setenv("ICH_MAX_BATCHES", "4")
    with pytest.raises(ConfigError, match="ICH_MAX_BATCHES"):
        read_settings()
    assert unknown_settings({"ICH_MAX_BATCH": "4", "ICHOR": "1", "ICH_NO": "1"}) == ["ICH_NO"]


def test_queue_holds_one_whole_request() -> None:
    """A queue shorter than a request could never admit it; equal is enough."""
    assert Settings(max_files=8, max_queue=8).max_queue == 8
    with pytest.raises(ValidationError, match="ICH_MAX_QUEUE"):
        Settings(max_files=9, max_queue=8)


def test_request_holds_one_whole_slice() -> None:
    """A request limit below the slice limit contradicts it; equal is enough."""
    assert Settings(max_request_bytes=MIB, max_slice_bytes=MIB).max_request_bytes == MIB
    with pytest.raises(ValidationError, match="ICH_MAX_REQUEST_BYTES"):
        Settings(max_request_bytes=MIB - 1, max_slice_bytes=MIB)


@pytest.mark.parametrize(("low", "high"), ORDERED)
def test_a_range_without_an_inside_is_refused(low: str, high: str) -> None:
    """Lower limits over their upper ones would warn of every slice."""
    top = getattr(Settings(), high)
    with pytest.raises(ValidationError, match=f"ICH_{low.upper()}"):
        Settings(**{low: top + 1})


def test_settings_cannot_be_changed() -> None:
    """What was validated at the start stays so."""
    with pytest.raises(ValidationError):
        Settings().max_batch = 1


def test_zero_stands_for_the_cores_of_the_machine() -> None:
    """Automatic sizes come from the cores that the process may use; given ones are kept."""
    cores = available_cores()
    automatic, given = Settings(), Settings(threads=3, decode_workers=5)
    assert (automatic.thread_count, automatic.decode_worker_count) == (cores, min(cores, 8))
    assert (given.thread_count, given.decode_worker_count) == (3, 5)
