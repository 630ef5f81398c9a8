"""Contestants: torch by default gives the answers of the network, the reference comes first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from load_tests import contestants as module
from load_tests.contestants import contestants, default_torch
from service.engine.torch_engine import TorchEngine
from service.model.conv_lstm import ConvLstm
from tests.service.fakes import make_manifest


def test_torch_by_default_gives_the_same_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    """All windows of two slices in one batch."""
    torch.manual_seed(6)
    network = ConvLstm(256).eval()
    monkeypatch.setattr(module, "load_network", lambda folder: (network, make_manifest()))
    voxels = np.random.default_rng(1).integers(-50, 150, (2, 256, 256)).astype(np.int16)
    windows = np.array([[40, 80], [35.5, 77]], np.float32)
    found = default_torch(Path(), 1)(voxels, windows)
    expected = TorchEngine(network, torch.device("cpu"), 2).forward(voxels, windows)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_reference_comes_first_and_nothing_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everything else is compared with torch in float32; outside engines where installed."""
    monkeypatch.setattr(module, "variants", lambda: ())
    monkeypatch.setattr(module, "outside_engines", lambda *given: [("other", "fp32", None)])
    with contestants(ConvLstm(256), Path(), 1, compiled=False) as each:
        found = [(one.name, one.precision) for one in each]
    assert found == [
        ("torch", "fp32"),
        ("torch", "bf16"),
        ("torch default", "fp32"),
        ("other", "fp32"),
    ]
