"""The engine benchmark: its arithmetic by hand; references that are absent are left out."""

from __future__ import annotations

import importlib
import time
from typing import Any

import numpy as np
import pytest
import torch

from load_tests import engines, outside
from load_tests.engines import Contestant, Row, times_ms
from service.model.conv_lstm import ConvLstm


def test_a_row_by_hand() -> None:
    """20 ms a slice are 50 slices/s and 15.13 / 0.02 = 756.5 GFLOP/s."""
    cells = [cell.strip() for cell in Row("native", 4, 20.0, 0.756, 2e-6).text().split("|")[1:-1]]
    assert cells == ["native", "4", "20.0", "50.0", "756", "76 %", "2.0e-06"]


def test_a_share_that_is_unknown_is_not_shown() -> None:
    """Without the native library there is no measured peak."""
    assert Row("torch", 1, 20.0, None, 0.0).text().split("|")[6].strip() == "-"


def test_times_are_per_slice_and_interleaved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forward of two slices that takes 20 ms is 10 ms a slice; the engines take turns."""
    calls: list[tuple[str, int]] = []

    def slow(name: str) -> Any:
        def forward(voxels: Any, windows: Any) -> Any:
            calls.append((name, len(voxels)))
            time.sleep(0.02)
            return np.zeros((len(voxels), 6), np.float32)

        return forward

    monkeypatch.setattr(engines, "slices", lambda count: (np.zeros(count), np.zeros(count)))
    both = [Contestant(name, "fp32", slow(name)) for name in ("a", "b")]
    found = times_ms(both, [2], 2)
    assert calls == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 2), ("b", 2)]
    assert 10 <= found["a", 2] < 100


def test_absent_references_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither package is a dependency."""

    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    assert list(outside.outside_engines(ConvLstm(256), 1)) == []


def test_a_reference_window_by_window_gives_the_logits_of_the_network() -> None:
    """The frame around an outside engine, with torch's own units inside it."""
    torch.manual_seed(1)
    network = ConvLstm(256).eval()
    voxels = np.random.default_rng(1).integers(-50, 150, (2, 256, 256)).astype(np.int16)
    windows = np.array([[40, 80], [35.5, 77]], np.float32)
    run = outside.WindowByWindow(
        network, lambda image: network.trunk.units(torch.from_numpy(image)).numpy()
    )
    with torch.inference_mode():
        expected = network(torch.from_numpy(voxels), torch.from_numpy(windows)).numpy()
    np.testing.assert_allclose(run.forward(voxels, windows), expected, atol=1e-5)
