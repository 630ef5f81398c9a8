"""Loop: the plain training loop that every stage shares.

for each step: batch -> stage(loss) -> backward -> Adam at the scheduled rate -> bar, checkpoint
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from model_build.config import Recipe
from model_build.distributed import Place

ADAM_BETAS, ADAM_EPS = (0.9, 0.999), 1e-7  # Keras defaults; the paper states Adam only
FINAL_SHARE = 0.01  # the cosine ends at this share of the peak rate
NON_KERNELS = ("bias", "lstm")  # L2 is on convolution and dense kernels alone


@dataclass(frozen=True, slots=True)
class Plan:
    """One stage's loop: its first step, steps per cycle, peak rate, what to do now and then.

    `parts` micro batches of this process make one of its steps.
    """

    name: str
    first: int
    cycles: tuple[int, ...]
    learning_rate: float
    parts: int
    checkpoint_every: int
    on_checkpoint: Callable[[int, torch.optim.Optimizer], None]
    on_loss: Callable[[int, float, float], None]
    on_validation: Callable[[int], None]
    validate_every: int = 0
    progress: bool = True

    @property
    def steps(self) -> int:
        """Steps of the whole stage."""
        return sum(self.cycles)

    def validates(self, done: int) -> bool:
        """Whether val is looked at after so many steps: now and then, and behind each cycle."""
        ends = {sum(self.cycles[: k + 1]) for k in range(len(self.cycles))}
        return done in ends or bool(self.validate_every and done % self.validate_every == 0)


def make_optimizer(stage: nn.Module, learning_rate: float, l2: float) -> torch.optim.Adam:
    """Adam with coupled L2 on kernels: Keras adds l2 * w^2 to the loss, a gradient of 2 l2 w."""
    kernels: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in stage.named_parameters():
        if not parameter.requires_grad:
            continue
        is_kernel = parameter.ndim > 1 and not any(part in name for part in NON_KERNELS)
        (kernels if is_kernel else others).append(parameter)
    groups = [{"params": kernels, "weight_decay": 2 * l2}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.Adam(groups, lr=learning_rate, betas=ADAM_BETAS, eps=ADAM_EPS)


def rate(step: int, cycles: Sequence[int], peak: float, warmup_share: float) -> float:
    """Learning rate of a step: per cycle a linear warm-up, then a cosine to a hundredth.

    Each cycle peaks at half of the one before (warm restarts).

    Args:
        step: from 0, over all cycles.
        cycles: steps of each cycle.
        peak: of the first cycle.
        warmup_share: of each cycle's steps.
    """
    cycle = 0
    while cycle < len(cycles) - 1 and step >= cycles[cycle]:
        step -= cycles[cycle]
        cycle += 1
    steps, peak = cycles[cycle], peak / 2**cycle
    warmup = max(1, round(steps * warmup_share))
    if step < warmup:
        return peak * (step + 1) / warmup
    along = (step - warmup) / max(1, steps - warmup)
    return peak * (FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * along)))


def run(
    stage: nn.Module,
    batches: Iterable[tuple[Tensor, ...]],
    optimizer: torch.optim.Optimizer,
    plan: Plan,
    recipe: Recipe,
    place: Place,
) -> None:
    """Train one stage from `plan.first` to `plan.steps`; `batches` are its remaining inputs.

    Raises:
        FloatingPointError: the loss is not finite; the last checkpoint is left as it was.
    """
    wrapped = place.wrap(stage)
    source: Iterator[tuple[Tensor, ...]] = iter(batches)
    steps = range(plan.first, plan.steps)
    bar = tqdm(steps, plan.name, initial=plan.first, total=plan.steps, disable=not plan.progress)
    smooth, began = math.nan, time.monotonic()
    for step in bar:
        wrapped.train()
        current = rate(step, plan.cycles, plan.learning_rate, recipe.warmup_share)
        for group in optimizer.param_groups:
            group["lr"] = current
        optimizer.zero_grad(set_to_none=True)
        value = _accumulate(wrapped, source, plan.parts, recipe.mixed_precision, place)
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss of {plan.name} is not finite at step {step}")
        optimizer.step()
        smooth = value if math.isnan(smooth) else 0.98 * smooth + 0.02 * value
        bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
        done = step + 1
        if plan.validates(done):
            plan.on_validation(done)
        if done % plan.checkpoint_every == 0 and done < plan.steps:
            plan.on_loss(done, smooth, time.monotonic() - began)
            plan.on_checkpoint(done, optimizer)
    if steps:
        plan.on_loss(plan.steps, smooth, time.monotonic() - began)


def _accumulate(
    stage: nn.Module,
    source: Iterator[tuple[Tensor, ...]],
    parts: int,
    mixed_precision: bool,
    place: Place,
) -> float:
    """Gradients of one step from its micro batches; returns the mean loss."""
    total = 0.0
    for part in range(parts):
        inputs = [tensor.to(place.device, non_blocking=True) for tensor in next(source)]
        # Processes exchange gradients once a step, behind its last micro batch.
        alone = part == parts - 1 or not isinstance(stage, DistributedDataParallel)
        with nullcontext() if alone else stage.no_sync():  # type: ignore[operator]
            with torch.autocast(place.device.type, torch.bfloat16, enabled=mixed_precision):
                loss = stage(*inputs) / parts
            loss.backward()
        total += float(loss.detach())
    return total
