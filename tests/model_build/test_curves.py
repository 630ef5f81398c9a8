"""Tests of the training curves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from model_build import curves
from model_build.curves import Curve, Curves


def test_rows_have_the_form_of_the_contract(tmp_path: Path) -> None:
    """A loss row and a validation row, one JSON object a line."""
    noted = Curves(tmp_path)
    noted.loss("window", 20, 0.5, 3.14159)
    noted.validation("window", 20, {"loss": 0.6})
    noted.close()
    rows = [json.loads(line) for line in (tmp_path / curves.FILE).read_text().splitlines()]
    assert rows == [
        {"stage": "window", "step": 20, "loss": 0.5, "seconds": 3.1},
        {"stage": "window", "step": 20, "val_loss": 0.6},
    ]


def test_tensorboard_reads_back_what_was_noted(tmp_path: Path) -> None:
    """The event files hold the same scalars under stage/name."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    noted = Curves(tmp_path)
    noted.loss("joint", 5, 0.25)
    noted.validation("joint", 5, {"loss": 0.75})
    noted.close()
    events = EventAccumulator(str(tmp_path / curves.EVENTS))
    events.Reload()
    found = {
        tag: (e.step, e.value) for tag in events.Tags()["scalars"] for e in events.Scalars(tag)
    }
    assert found == {"joint/loss": (5, 0.25), "joint/val_loss": (5, 0.75)}


def test_without_tensorboard_it_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One plain line on the standard error; losses.jsonl is written all the same."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    noted = Curves(tmp_path)
    noted.loss("window", 1, 0.5)
    noted.close()
    assert capsys.readouterr().err == f"{curves.ABSENT}\n"
    assert curves.read(tmp_path) == (Curve("window", "loss", (1,), (0.5,)),)


def test_a_resumed_run_is_one_curve(tmp_path: Path) -> None:
    """Steps noted twice keep the later value and stand in order."""
    lines = [(10, 0.9), (20, 0.8), (20, 0.7), (30, 0.6)]
    text = "".join(
        json.dumps({"stage": "window", "step": step, "loss": loss, "seconds": 1}) + "\n"
        for step, loss in lines
    )
    (tmp_path / curves.FILE).write_text(text)
    assert curves.read(tmp_path) == (Curve("window", "loss", (10, 20, 30), (0.9, 0.7, 0.6)),)


@pytest.mark.parametrize("line", ["{", "[1]", '{"stage": "a"}', '{"stage": "a", "step": "x"}'])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    """The error says which line, not what was in it."""
    good = json.dumps({"stage": "window", "step": 1, "loss": 0.1})
    (tmp_path / curves.FILE).write_text(f"{good}\n{line}\n")
    with pytest.raises(ValueError, match=r"line 2 of losses\.jsonl"):
        curves.read(tmp_path)
