"""The engine benchmark: its arithmetic by hand, rounds that take turns, paired ratios."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from load_tests import engines
from load_tests.contestants import Contestant
from load_tests.engines import ratio, row, times_ms
from service.engine.parity import Agreement

SAME = Agreement(2e-6, 0, 4)


def contestant(name: str, precision: str = "fp32", forward: Any = None) -> Contestant:
    """One that is timed; never called unless `forward` is given."""
    return Contestant(name, precision, forward)


def test_a_row_by_hand() -> None:
    """20 ms a slice are 50 slices/s and 15.13 / 0.02 = 756.5 GFLOP/s, of 1,000 at most."""
    times = {("native", "fp32", 4): [19.0, 20.0, 40.0], ("openvino 1", "fp32", 4): [38, 50, 80]}
    found = row(contestant("native"), 4, times, 1000.0, SAME)
    assert found["ms per slice"] == 20
    assert found["slices/s"] == 50
    assert found["GFLOP/s"] == pytest.approx(756.5)
    assert found["% of peak"] == pytest.approx(75.65)
    assert found["to OpenVINO"] == 0.5
    assert (found["max diff p"], found["flips"]) == (2e-6, 0)


def test_what_is_unknown_is_left_open() -> None:
    """Without the native library there is no measured peak; without OpenVINO no ratio."""
    found = row(contestant("torch"), 1, {("torch", "fp32", 1): [20.0]}, None, SAME)
    assert (found["% of peak"], found["to OpenVINO"], found["to torch default"]) == (None,) * 3


def test_a_ratio_is_of_the_same_round_and_precision() -> None:
    """Noise that slows a whole round leaves the ratio as it is; bf16 is compared with bf16."""
    times = {
        ("native", "bf16", 1): [10.0, 100.0, 30.0],
        ("openvino 1", "fp32", 1): [1.0, 1.0, 1.0],
        ("openvino 1", "bf16", 1): [20.0, 200.0, 60.0],
    }
    assert ratio(times, ("native", "bf16", 1), ("openvino 1", "bf16", 1)) == 0.5
    assert row(contestant("native", "bf16"), 1, times, None, SAME)["to OpenVINO"] == 0.5


def test_times_are_per_slice_and_interleaved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forward of two slices that takes 20 ms is 10 ms a slice; the engines take turns."""
    calls: list[tuple[str, int]] = []

    def slow(name: str) -> Any:
        def forward(voxels: Any, windows: Any) -> Any:
            calls.append((name, len(voxels)))
            time.sleep(0.02)

        return forward

    monkeypatch.setattr(engines, "slices", lambda count: (np.zeros(count), np.zeros(count)))
    found = times_ms([contestant(name, forward=slow(name)) for name in ("a", "b")], [2], 2)
    assert calls == [("a", 2), ("b", 2), ("a", 2), ("b", 2)]
    assert len(found["a", "fp32", 2]) == 2
    assert all(10 <= ms < 100 for ms in found["a", "fp32", 2])
