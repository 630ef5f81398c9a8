"""Outside references: absent ones are left out, and the frame around them is right."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch

from load_tests import outside
from service.model.conv_lstm import ConvLstm


def test_absent_references_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither package is a dependency."""

    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    assert list(outside.outside_engines(ConvLstm(256), 1)) == []


def test_a_reference_window_by_window_gives_the_logits_of_the_network() -> None:
    """The frame around an outside engine, with torch's own windowing and units inside it."""
    torch.manual_seed(1)
    network = ConvLstm(256).eval()
    voxels = np.random.default_rng(1).integers(-50, 150, (2, 256, 256)).astype(np.int16)
    windows = np.array([[40, 80], [35.5, 77]], np.float32)
    one = outside.OneWindow(network).eval()
    run = outside.WindowByWindow(
        network, lambda *inputs: one(*map(torch.from_numpy, inputs)).numpy()
    )
    with torch.inference_mode():
        expected = network(torch.from_numpy(voxels), torch.from_numpy(windows)).numpy()
    np.testing.assert_allclose(run.forward(voxels, windows), expected, atol=1e-5)
