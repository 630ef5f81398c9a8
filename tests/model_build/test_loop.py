"""Loop: the rate of a step, when val is looked at, micro batches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from model_build import loop
from model_build.distributed import Place
from tests.model_build.phantom_set import RECIPE

ALONE = Place(0, 1, torch.device("cpu"))


class Square(nn.Module):
    """Mean of (w - x)^2 over a micro batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, values: Tensor) -> Tensor:
        """(B,) -> scalar."""
        return (self.weight - values).square().mean()


def test_the_rate_warms_up_and_falls_to_a_hundredth() -> None:
    """Ten steps of warm-up of a hundred, the peak at their end, a cosine behind it."""
    rates = [loop.rate(step, (100,), 1e-3, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == pytest.approx(1e-3)
    assert rates[55] == pytest.approx(1e-3 * (0.01 + 0.99 * 0.5), rel=1e-6)
    assert rates[-1] == pytest.approx(1e-5, rel=0.1)


def test_each_cycle_starts_again_at_half_the_peak() -> None:
    """Behind 100 steps a cycle of 50 with a peak of one half."""
    rates = [loop.rate(step, (100, 50), 1e-3, 0.1) for step in range(150)]
    assert rates[:100] == [loop.rate(step, (100,), 1e-3, 0.1) for step in range(100)]
    assert max(rates[100:]) == pytest.approx(5e-4)
    assert rates[-1] < 1e-5


def run(parts: int, cycles: tuple[int, ...], every: int) -> tuple[Square, list[int]]:
    """Train the square on 8 numbers a step, cut into micro batches; steps of validation."""
    stage, seen = Square(), []
    plan = loop.Plan(
        name="square",
        first=0,
        cycles=cycles,
        learning_rate=0.1,
        parts=parts,
        checkpoint_every=1000,
        on_checkpoint=lambda step, optimizer: None,
        on_loss=lambda step, loss, seconds: None,
        on_validation=seen.append,
        validate_every=every,
        progress=False,
    )

    def batches() -> Iterator[tuple[Tensor, ...]]:
        for step in range(plan.steps):
            whole = torch.arange(8.0) + step
            yield from ((whole[part::parts],) for part in range(parts))

    optimizer = torch.optim.Adam(stage.parameters(), lr=0.1)
    loop.run(stage, batches(), optimizer, plan, RECIPE, ALONE)
    return stage, seen


def test_micro_batches_add_up_to_the_batch() -> None:
    """One part of eight or four parts of two give the same weights."""
    one, four = (run(parts, (6,), 0)[0].weight.item() for parts in (1, 4))
    assert one == pytest.approx(four, rel=1e-6)
    assert one > 0.1


def test_val_is_looked_at_now_and_then_and_behind_each_cycle() -> None:
    """Cycles of 5 and 3 with a look every 4 steps: 4, 5, 8."""
    assert run(1, (5, 3), 4)[1] == [4, 5, 8]
    assert run(1, (5, 3), 0)[1] == [5, 8]
