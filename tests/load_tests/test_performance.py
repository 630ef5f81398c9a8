"""The performance page: every result a section, with its machine; nothing else has figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from load_tests.performance import HEAD, main, page
from tests.load_tests.test_results import RESULT


def test_the_page_by_hand() -> None:
    """Head, then a section: command, machine, settings, table, note."""
    head, text = page([RESULT, RESULT]).split("## Made up\n", 1)
    assert head.startswith("# Performance")
    section = text.split("## Made up")[0].strip().splitlines()
    assert section == [
        "* command: `make nothing`",
        "* processor: abacus",
        "* cores: 10",
        "* threads: 2",
        "",
        "### Rows",
        "",
        *RESULT.tables[0].markdown().splitlines(),
        "",
        "A note.",
    ]


def test_the_head_says_what_this_is_for_and_has_no_figure() -> None:
    """Figures come from results alone."""
    assert "Research use, not a medical device" in HEAD
    assert "trained on synthetic images only" in HEAD
    assert not any(letter.isdigit() for letter in HEAD)


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From files; one that is no result leaves the page as it was."""
    RESULT.write(tmp_path / "a.json")
    (tmp_path / "b.json").write_text("{}", encoding="utf-8")
    out = tmp_path / "performance.md"
    assert main([str(tmp_path / "a.json"), "--out", str(out)]) == 0
    written = out.read_text(encoding="utf-8")
    assert written == page([RESULT])
    assert main([str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--out", str(out)]) == 1
    assert "b.json is not the result of a benchmark" in capsys.readouterr().err
    assert out.read_text(encoding="utf-8") == written
