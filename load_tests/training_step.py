"""TrainingStep: one step of the paper's stage 2, as torch does it by default and as we do it.

micro batch of whole slices, one window each ─> trunk, head ─> loss ─> backward ─> Adam

`python -m load_tests.training_step` (or `make bench-train`). Each way runs in a process of its own,
because allocator settings are process-wide; they take turns, so the ratios are paired.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from load_tests.apart import Apart
from load_tests.results import Result, Row, Table, machine
from model_build.loop import make_optimizer
from model_build.stages import WindowStage
from service.config import available_cores
from service.model.host_memory import keep_freed_pages
from service.model.slice_cnn import SliceCnn
from service.types import LABELS

COVERAGE_CELLS = 64
L2, LEARNING_RATE = 1e-4, 1e-3


@dataclass(frozen=True, slots=True)
class Way:
    """How a step is computed."""

    name: str
    channels_last: bool = False
    keep_pages: bool = False  # the three mallopt calls
    bf16: bool = False


WAYS = (
    Way("torch default"),
    Way("channels_last", channels_last=True),
    Way("channels_last, mallopt", channels_last=True, keep_pages=True),
    Way("channels_last, mallopt, bf16", channels_last=True, keep_pages=True, bf16=True),
)
NOTES = (
    "Synthetic input: speed does not depend on its values. Whole slices, no head crop, no lesion "
    "masks; the shipped recipe trains with channels_last, mallopt and bf16.",
    "The ratio is the median over the rounds of the default's time by this one's.",
)


def steps(way: Way, size: int, batch: int, threads: int) -> Callable[[], tuple[float, float]]:
    """A function that makes one step, and returns its ms and its loss.

    Args:
        way: settings of this process from now on.
        size: pixels of a side.
        batch: slices.
        threads: of torch.
    """
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    if way.keep_pages:
        keep_freed_pages()
    network = SliceCnn(size)
    if way.channels_last:
        network.to(memory_format=torch.channels_last)
    stage = WindowStage(network, None, 0.0).train()
    optimizer = make_optimizer(stage, LEARNING_RATE, L2)
    inputs = _inputs(size, batch)

    def step() -> tuple[float, float]:
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=way.bf16):
            loss = stage(*inputs)
        loss.backward()
        optimizer.step()
        return (time.perf_counter() - started) * 1000, float(loss.detach())

    return step


def _inputs(size: int, batch: int) -> tuple[torch.Tensor, ...]:
    """Voxels, default windows, chosen windows, labels, weights, coverage of a micro batch."""
    return (
        torch.randint(-100, 200, (batch, size, size), dtype=torch.int16),
        torch.tensor([[40.0, 80.0]]).expand(batch, 2),
        torch.arange(batch) % 10,
        torch.randint(0, 2, (batch, len(LABELS))).float(),
        torch.ones(batch),
        torch.full((batch, len(LABELS), COVERAGE_CELLS, COVERAGE_CELLS), torch.nan),
    )


def times_ms(
    each: Mapping[str, Callable[[], tuple[float, float]]], rounds: int
) -> dict[str, list[float]]:
    """Ms of a step by way and round; the first step of each is not counted.

    Raises:
        FloatingPointError: the loss of a way is not finite.
    """
    found: dict[str, list[float]] = {name: [] for name in each}
    for number in range(rounds + 1):
        for name, step in each.items():
            ms, loss = step()
            if loss != loss:
                raise FloatingPointError(f"the loss of {name} is not finite")
            if number:
                found[name].append(ms)
    return found


def rows(times: Mapping[str, Sequence[float]], batch: int) -> list[Row]:
    """A line for each way; the first is what the others are compared with."""
    first = next(iter(times.values()))
    found: list[Row] = []
    for name, values in times.items():
        ms = statistics.median(values)
        faster = statistics.median(a / b for a, b in zip(first, values, strict=True))
        slices = 1000 * batch / ms
        found.append({"way": name, "ms per step": ms, "slices/s": slices, "times faster": faster})
    return found


def measure(size: int, batch: int, rounds: int, threads: int) -> Result:
    """Every way, each in its own process."""
    about = machine()
    with ExitStack() as stack:
        each = {
            way.name: stack.enter_context(Apart(steps, way, size, batch, threads)) for way in WAYS
        }
        times = times_ms(each, rounds)
    settings = {
        "stage": "2, one window a slice",
        "micro batch": batch,
        "pixels": size,
        "threads": threads,
        "interleaved rounds": rounds,
        "torch": torch.__version__,
    }
    table = Table("Training step", rows(times, batch))
    return Result("Training step on the CPU", "make bench-train", [table], settings, NOTES, about)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and keep it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=512, help="pixels of a side")
    parser.add_argument("--batch", type=int, default=8, help="slices of a micro batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--json", type=Path, help="file to write")
    given = parser.parse_args(arguments)
    found = measure(given.size, given.batch, given.rounds, given.threads)
    print(found.text())
    if given.json:
        found.write(given.json)


if __name__ == "__main__":
    main()
