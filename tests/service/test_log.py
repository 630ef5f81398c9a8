"""Tests of the log: one JSON object per line, allowed fields only, and never an input's text."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from service import log

CANARY = "DOE^JANE 1.2.840.99 /archive/doe.dcm"


@pytest.fixture
def stream() -> io.StringIO:
    """Where the log of the test goes."""
    return io.StringIO()


@pytest.fixture
def lines(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Configure the log, give the lines written so far, and put logging back as it was."""
    monkeypatch.setattr(logging, "raiseExceptions", True)
    root = logging.root
    handlers, level, shown = root.handlers[:], root.level, warnings.showwarning
    states = {
        name: (logger, logger.handlers[:], logger.level, logger.propagate, logger.disabled)
        for name, logger in root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    }
    log.configure("info", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.captureWarnings(False)
    warnings.showwarning = shown
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in (*log.OWN, *log.SILENT):
        logging.getLogger(name).disabled = False
        logging.getLogger(name).setLevel(logging.NOTSET)
    for logger, kept, own_level, propagate, disabled in states.values():
        logger.handlers[:] = kept
        logger.propagate, logger.disabled = propagate, disabled
        logger.setLevel(own_level)


def test_record_is_one_json_line(lines: Any) -> None:
    """An event with allowed fields comes out with time, level, logger and those fields."""
    ms = {"decode": 1.5, "infer": 20.25}
    fields = {"request_id": "r-1", "slices": 3, "outcome": "ok", "ms": ms}
    logging.getLogger("service.api.app").info("request_done", extra=fields)
    (line,) = lines()
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "service.api.app",
        "event": "request_done",
        "request_id": "r-1",
        "slices": 3,
        "outcome": "ok",
        "ms": ms,
    }


def test_field_that_is_not_on_the_list_is_dropped(lines: Any) -> None:
    """Neither an unknown field nor a text hidden among the stages gets out."""
    extra = {"patient": CANARY, "file_name": CANARY, "ms": {"total": 1, "note": CANARY}}
    logging.getLogger("service.x").info("done", extra=extra)
    (line,) = lines()
    assert set(line) == {"time", "level", "logger", "event", "ms"}
    assert line["ms"] == {"total": 1}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, True),
        (7, 7),
        (None, None),
        (float("nan"), None),
        ("x" * 300, "x" * 200),
        ([CANARY], "unshown"),
        (ValueError(CANARY), "unshown"),
        ("two\nlines", "two\nlines"),
    ],
    ids=["flag", "number", "none", "nan", "long text", "list", "exception", "line break"],
)
def test_value_is_kept_small_and_plain(lines: Any, value: object, shown: object) -> None:
    """Numbers pass, texts are cut, and containers or exceptions are not shown."""
    logging.getLogger("service.x").info("done", extra={"reason": value})
    assert [line["reason"] for line in lines()] == [shown]


def test_arguments_and_free_texts_are_never_the_event(lines: Any) -> None:
    """The event is a fixed text: arguments are not put in, and other texts are not shown."""
    logger = logging.getLogger("service.x")
    logger.warning("cannot read %s", CANARY)
    logger.warning(f"cannot read {CANARY}")
    logger.warning(ValueError(CANARY))
    logger.warning("cannot read")
    assert [line["event"] for line in lines()] == ["unshown", "unshown", "unshown", "cannot read"]


def test_exception_is_type_and_own_frames(lines: Any) -> None:
    """A failure is logged by its types along the causes and our lines, not by its texts."""
    try:
        try:
            log.new_request_id(CANARY).index(CANARY)
        except ValueError as cause:
            raise RuntimeError(CANARY) from cause
    except RuntimeError:
        logging.getLogger("service.x").exception("failed")
    (line,) = lines()
    assert (line["exception"], line["frames"]) == (["RuntimeError", "ValueError"], [])
    assert CANARY not in json.dumps(line)


def test_own_frames_are_relative_to_the_repository() -> None:
    """A frame of ours is named by package path and line; frames of others are left out."""
    try:
        log.JsonFormatter().format(None)  # type: ignore[arg-type]
    except AttributeError as error:
        frames = log.describe(error)["frames"]
    assert isinstance(frames, list)
    assert len(frames) == 1
    assert frames[0].startswith("service/log.py:")


def test_circular_causes_end() -> None:
    """An exception that causes itself does not hang the log."""
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert len(log.describe(first)["exception"]) == 8  # type: ignore[arg-type]


def test_text_of_other_libraries_is_not_shown(lines: Any) -> None:
    """Of a library only name, level and exception type come out, and only from a warning on."""
    other = logging.getLogger("uvicorn.error")
    other.info("started %s", CANARY)
    other.error("failed: %s", CANARY, extra={"reason": CANARY})
    (line,) = lines()
    assert (line["logger"], line["level"], line["event"]) == ("uvicorn.error", "error", "unshown")
    assert "DOE" not in json.dumps(line)


@pytest.mark.parametrize("name", log.SILENT)
def test_access_logs_and_pydicom_are_silent(lines: Any, name: str) -> None:
    """Loggers that exist to print paths or element values print nothing at all."""
    logging.getLogger(name).critical(CANARY)
    assert lines() == []


def test_handlers_of_libraries_are_taken_off(lines: Any, stream: io.StringIO) -> None:
    """A library's own handler does not print beside ours."""
    other = logging.getLogger("some.library")
    other.addHandler(logging.StreamHandler(stream))
    other.propagate = False
    log.configure("info", stream)
    other.error(CANARY)
    assert [line["logger"] for line in lines()] == ["some.library"]


def test_warnings_lose_their_text(lines: Any, stream: io.StringIO) -> None:
    """A Python warning, which may quote the input, is a record without text."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.configure("info", stream)
        warnings.warn(CANARY, stacklevel=1)
    (line,) = lines()
    assert (line["logger"], line["event"]) == ("py.warnings", "unshown")


def test_failure_of_the_log_itself_prints_nothing(
    lines: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record that cannot be written is lost quietly: Python would print its arguments."""

    class Unprintable(dict[str, int]):
        def items(self) -> Any:
            raise ValueError(CANARY)

    logging.getLogger("service.x").info("done", extra={"ms": Unprintable()})
    assert (lines(), capsys.readouterr().err) == ([], "")


def test_level_hides_what_is_below(lines: Any, stream: io.StringIO) -> None:
    """The configured level is the least that is shown."""
    log.configure("warning", stream)
    logging.getLogger("service.x").info("hidden")
    logging.getLogger("service.x").warning("shown")
    assert [line["event"] for line in lines()] == ["shown"]


@pytest.mark.parametrize("candidate", ["a", "A-1_b.c", "x" * 64])
def test_sound_request_id_is_kept(candidate: str) -> None:
    """A client's id of the allowed form is used as it is."""
    assert log.new_request_id(candidate) == candidate


@pytest.mark.parametrize("candidate", [None, "", "x" * 65, "a b", "a\n", "é", "<script>"])
def test_other_request_id_is_replaced(candidate: str | None) -> None:
    """Anything else gives a fresh id that itself has the allowed form."""
    fresh = log.new_request_id(candidate)
    assert fresh not in (candidate, log.new_request_id(candidate))
    assert log.new_request_id(fresh) == fresh
