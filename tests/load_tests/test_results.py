"""Results: kept and read back as they are; cells and tables by hand."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from load_tests import results
from load_tests.results import Result, ResultError, Table, machine, read, shown

RESULT = Result(
    title="Made up",
    command="make nothing",
    tables=[Table("Rows", [{"engine": "a", "ms": 12.345}, {"engine": "b", "ms": None, "n": 3}])],
    settings={"threads": 2},
    notes=["A note."],
    machine={"processor": "abacus", "cores": 10},
)


def test_a_table_has_every_column_that_a_row_names() -> None:
    """In the order of their first mention; what a row lacks is a dash."""
    assert RESULT.tables[0].markdown().splitlines() == [
        "| engine | ms | n |",
        "| --- | --- | --- |",
        "| a | 12.3 | - |",
        "| b | - | 3 |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (3, "3"), (1234.5, "1234"), (0.5, "0.5"), (1.3e-6, "1.3e-06"), ("x", "x")],
)
def test_a_cell_has_three_digits(value: Any, text: str) -> None:
    """Whole from 100 on."""
    assert shown(value) == text


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Through JSON, into a folder that is made."""
    path = tmp_path / "bench" / "made-up.json"
    RESULT.write(path)
    assert read(path) == RESULT
    assert "threads 2" in read(path).text()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tables": [], "other": 1}'])
def test_another_file_is_no_result(tmp_path: Path, text: str) -> None:
    """Named, so that the reader knows which to remove."""
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ResultError, match=r"other\.json"):
        read(path)


def test_the_machine_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processor and the flags that matter, from what the kernel says; commit and date."""
    info = "processor\t: 0\nmodel name\t: Abacus 9\nflags\t\t: fpu avx2 fma sse amx_bf16\n\n"
    path = tmp_path / "cpuinfo"
    path.write_text(info, encoding="utf-8")
    monkeypatch.setattr(results, "CPUINFO", path)
    found = machine()
    assert (found["processor"], found["flags"]) == ("Abacus 9", "avx2 fma amx_bf16")
    assert {"cores", "load before", "commit", "date"} <= set(found)
    json.dumps(found)


def test_a_commit_with_changes_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that cannot be asked for is unknown."""
    answers = {"rev-parse": "abc1234", "status": ""}
    monkeypatch.setattr(results, "_git", lambda *given: answers[given[0]])
    assert results.commit() == "abc1234"
    answers["status"] = " M file"
    assert results.commit() == "abc1234+changes"

    def fail(*given: str) -> str:
        raise subprocess.CalledProcessError(128, "git")

    monkeypatch.setattr(results, "_git", fail)
    assert results.commit() == "unknown"
