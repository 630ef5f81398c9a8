"""The training-step benchmark: paired ratios by hand, and every way takes real steps."""

from __future__ import annotations

import math
from typing import Any

import pytest

from load_tests import training_step
from load_tests.training_step import WAYS, rows, steps, times_ms


def test_the_ratio_is_paired_by_round() -> None:
    """Rounds of 100 and 300 ms against 20 and 30: five and ten times faster, 7.5 in the middle."""
    default, ours = rows({"torch default": [100.0, 300.0], "ours": [20.0, 30.0]}, 8)
    assert default["times faster"] == 1
    assert (ours["ms per step"], ours["slices/s"], ours["times faster"]) == (25, 320, 7.5)


def test_the_ways_take_turns_and_the_first_step_does_not_count() -> None:
    """It pays for first use."""
    calls: list[str] = []

    def step(name: str) -> Any:
        def run() -> tuple[float, float]:
            calls.append(name)
            return float(len(calls)), 0.5

        return run

    found = times_ms({name: step(name) for name in ("a", "b")}, 2)
    assert calls == ["a", "b"] * 3
    assert found == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    """A way that does not train is not faster."""
    with pytest.raises(FloatingPointError, match="a is not finite"):
        times_ms({"a": lambda: (1.0, math.nan)}, 1)


@pytest.mark.parametrize("way", [WAYS[0], WAYS[-1]], ids=lambda way: way.name)
def test_a_way_trains(monkeypatch: pytest.MonkeyPatch, way: training_step.Way) -> None:
    """A step changes the loss of the same slice; allocator settings are left alone here."""
    kept: list[bool] = []
    monkeypatch.setattr(training_step, "keep_freed_pages", lambda: kept.append(True))
    step = steps(way, 256, 1, 1)
    (_, first), (ms, second) = step(), step()
    assert 0 < second != first
    assert ms > 0
    assert bool(kept) == way.keep_pages
