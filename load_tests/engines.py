"""Engines: every engine that this machine has, timed side by side on the same slices.

slices ─> torch | compiled | native variants, with and without air skip | outside references
       ─> each batch size, interleaved rounds ─> ms per slice, slices/s, GFLOP/s, share of the peak

`python -m load_tests.engines` (or `make bench-engine`). The peak is measured on the spot: the
multiply-adds of a variant's instruction set in registers, on as many threads as the engines have.
The native variants are compared with their own, the others with the largest of their precision.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from load_tests.contestants import Contestant, contestants, gpu_contestants, load_network
from load_tests.payloads import payloads
from load_tests.results import Result, Row, Table, machine
from service.artifact import Manifest
from service.config import available_cores
from service.dicom.decode import decode_slice
from service.engine.native.library import Variant, spin, variants
from service.engine.parity import Agreement, compare
from service.model.host_memory import keep_freed_pages

PRETRAINED = Path(__file__).parents[1] / "model_build" / "pretrained" / "conv_lstm"
GFLOP_PER_SLICE = 15.13  # ten windows of the trunk's convolutions, two operations a multiply-add
SPIN_ROUNDS = 20_000_000
PARITY_SLICES = 4
OUTSIDE = "openvino"
NOTES = (
    "GFLOP/s and the share count the work of a full slice, also where air was skipped; the peak is "
    "of multiply-adds in registers on the same threads.",
    "Ratios are medians over rounds of this engine's time by the other's in the same round: below "
    "1 is faster. OpenVINO is taken at the engine's own precision.",
    "Differences and flips are of calibrated probabilities and decisions, from torch in float32.",
)

Times = Mapping[tuple[str, str, int], Sequence[float]]  # name, precision, batch -> ms by round


def slices(count: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]:
    """That many payloads of the load test, decoded: int16 (N, 512, 512) HU, float32 (N, 2)."""
    decoded = [decode_slice(body).slice_hu for body in payloads()]
    found = [item for item in decoded if item is not None]
    if not found:
        raise SystemExit("none of the payloads is a slice that can be scored")
    chosen = [found[place % len(found)] for place in range(count)]
    windows = [(item.window.center, item.window.width) for item in chosen]
    return np.stack([item.voxels_hu for item in chosen]), np.array(windows, np.float32)


def peaks(threads: int) -> dict[str, float]:
    """Measured GFLOP/s of all threads together, by variant and by precision."""
    found: dict[str, float] = {}
    for variant in variants():
        found[variant.name] = peak(variant, threads)
        if variant.name != "amx":  # fp32 by three bf16 products: no other engine computes like that
            best = max(found.get(variant.precision, 0.0), found[variant.name])
            found[variant.precision] = best
    return found


def peak(variant: Variant, threads: int) -> float:
    """GFLOP/s of multiply-adds in registers, on that many threads at once."""
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        done = sum(pool.map(partial(spin, variant), [SPIN_ROUNDS] * threads))
        return done / (time.perf_counter() - started) / 1e9


def times_ms(each: Sequence[Contestant], batches: Sequence[int], rounds: int) -> Times:
    """Ms per slice of every round; the engines take turns, so all share the noise.

    Each has run once before, in the parity check, so that none pays for first use here.
    """
    voxels, windows = slices(max(batches))
    found: dict[tuple[str, str, int], list[float]] = {}
    for _ in range(rounds):
        for batch in batches:
            for one in each:
                torch.set_num_threads(one.torch_threads)
                started = time.perf_counter()
                one.forward(voxels[:batch], windows[:batch])
                ms = (time.perf_counter() - started) * 1000 / batch
                found.setdefault((one.name, one.precision, batch), []).append(ms)
    return found


def agreements(each: Sequence[Contestant], manifest: Manifest) -> list[Agreement]:
    """How far each is from the first one, in the order given."""
    voxels, windows = slices(PARITY_SLICES)
    logits = [one.forward(voxels, windows) for one in each]
    return [compare(found, logits[0], manifest) for found in logits]


def ratio(times: Times, one: tuple[str, str, int], other: tuple[str, str, int]) -> float | None:
    """Median over the rounds of one engine's time by another's; None where the other is absent."""
    if other not in times:
        return None
    return statistics.median(a / b for a, b in zip(times[one], times[other], strict=True))


def row(one: Contestant, batch: int, times: Times, top: float | None, found: Agreement) -> Row:
    """One line of the table; `top` is the peak of its precision in GFLOP/s, if it is known."""
    key = (one.name, one.precision, batch)
    ms = statistics.median(times[key])
    gflops = 1000 * GFLOP_PER_SLICE / ms
    outside = next((name for name, _, _ in times if name.startswith(OUTSIDE)), OUTSIDE)
    return {
        "engine": one.name,
        "precision": one.precision,
        "batch": batch,
        "ms per slice": ms,
        "slices/s": 1000 / ms,
        "GFLOP/s": gflops,
        "% of peak": None if top is None else 100 * gflops / top,
        "to OpenVINO": ratio(times, key, (outside, one.precision, batch)),
        "to torch default": ratio(times, key, ("torch default", "fp32", batch)),
        "max diff p": found.max_probability_difference,
        "flips": found.flips,
    }


def measure(
    folder: Path,
    batches: Sequence[int],
    rounds: int,
    threads: int,
    *,
    compiled: bool,
    gpu: bool = False,
) -> Result:
    """Every engine of the CPU, or of the GPU, at every batch size."""
    about = machine()
    keep_freed_pages()
    torch.set_num_threads(threads)
    network, manifest = load_network(folder)
    top = {} if gpu else peaks(threads)
    entered = contestants(network, folder, threads, compiled=compiled)
    with gpu_contestants(network, max(batches)) if gpu else entered as each:
        found = agreements(each, manifest)
        times = times_ms(each, batches, rounds)
    rows = [
        row(one, batch, times, top.get(one.variant or one.precision), agreement)
        for batch in batches
        for one, agreement in zip(each, found, strict=True)
    ]
    settings = {
        "model": f"{manifest.name} {manifest.version}",
        "slices": "synthetic, of the load test",
        "threads": threads,
        "interleaved rounds": rounds,
        **{f"peak {name}, GFLOP/s": value for name, value in top.items()},
        "torch": torch.__version__,
    }
    table = Table("Engines, median of the rounds", rows)
    title = f"Engines on the {'GPU' if gpu else 'CPU'}"
    command = "make bench-engine" if not gpu else "python -m load_tests.engines --gpu"
    return Result(title, command, [table], settings, NOTES, about)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and keep it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, default=PRETRAINED, help="model folder")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--gpu", action="store_true", help="its engines; try --batches 1 16 256")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--json", type=Path, help="file to write")
    given = parser.parse_args(arguments)
    how = given.batches, given.rounds, given.threads
    found = measure(given.model, *how, compiled=not given.no_compile, gpu=given.gpu)
    print(found.text())
    if given.json:
        found.write(given.json)


if __name__ == "__main__":
    main()
