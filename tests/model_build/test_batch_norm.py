"""Batch norm: statistics counted anew are the plain mean, and modes come back as they were."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from model_build import batch_norm


def network() -> nn.Sequential:
    """One convolution that passes its input on, batch norm and dropout."""
    convolution = nn.Conv2d(1, 1, 1)
    nn.init.ones_(convolution.weight)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return nn.Sequential(convolution, nn.BatchNorm2d(1, momentum=0.01), nn.Dropout(0.9)).train()


def test_settled_statistics_are_the_mean_over_the_batches() -> None:
    """Whatever was there before is forgotten; all is in evaluation mode behind it."""
    found, batches = network(), [torch.full((2, 1, 4, 4), value) for value in (1.0, 2.0, 6.0)]
    found[1].running_mean += 100.0  # type: ignore[operator]
    with batch_norm.settling(found):
        assert not found[2].training
        for batch in batches:
            found(batch)
    assert float(found[1].running_mean) == pytest.approx(3.0)  # type: ignore[arg-type]
    assert float(found[1].running_var) == pytest.approx(0.0)  # type: ignore[arg-type]
    assert found[1].momentum == 0.01
    assert not any(module.training for module in found.modules())


def test_settling_records_no_gradient_and_survives_an_error() -> None:
    """The momentum is back also when a batch cannot be read."""
    found = network()

    def settle() -> None:
        with batch_norm.settling(found):
            assert not found(torch.ones(2, 1, 4, 4)).requires_grad
            raise ValueError("unreadable")

    with pytest.raises(ValueError, match="unreadable"):
        settle()
    assert found[1].momentum == 0.01


def test_fixed_statistics_do_not_move() -> None:
    """A forward inside leaves them; the mode before is the mode behind."""
    found = network()
    before = found[1].running_mean.clone()  # type: ignore[union-attr, operator]
    with batch_norm.fixed(found):
        found(torch.full((2, 1, 4, 4), 9.0))
    assert torch.equal(found[1].running_mean, before)  # type: ignore[arg-type]
    assert found[1].training
