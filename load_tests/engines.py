"""Engines: every engine that this machine has, timed side by side on the same slices.

slices ─> torch | native variants, with and without air skip | outside references, if installed
       ─> each batch size, interleaved rounds ─> ms per slice, slices/s, GFLOP/s, share of the peak

`python -m load_tests.engines` (or `make bench-engine`). The peak is measured on the spot: fused
multiply-adds in registers on as many threads as the engines have.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file

from load_tests.outside import outside_engines
from load_tests.payloads import payloads
from service.artifact import WEIGHTS_FILE, Manifest, calibrated, verify_folder
from service.config import available_cores
from service.dicom.decode import decode_slice
from service.engine.cuda.engine import cuda_engines
from service.engine.native.engine import NativeEngine
from service.engine.native.library import Variant, spin, variants
from service.engine.torch_engine import TorchEngine
from service.model.conv_lstm import ConvLstm
from service.model.denormals import flush_denormals
from service.model.host_memory import keep_freed_pages
from service.model.registry import build

PRETRAINED = Path(__file__).parents[1] / "model_build" / "pretrained" / "conv_lstm"
GFLOP_PER_SLICE = 15.13  # ten windows of the trunk's convolutions, two operations a multiply-add
SPIN_ROUNDS = 20_000_000
TORCH_GPU_BATCH = 16

Forward = Callable[[npt.NDArray[np.int16], npt.NDArray[np.float32]], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One engine: its name in the table, its precision, and how to call it."""

    name: str
    precision: str
    forward: Forward


@dataclass(frozen=True, slots=True)
class Row:
    """What one engine reached at one batch size."""

    name: str
    batch: int
    ms_per_slice: float
    share_of_peak: float | None
    difference: float  # largest, of a probability, from torch in float32

    def text(self) -> str:
        """One line of the table."""
        share = "-" if self.share_of_peak is None else f"{100 * self.share_of_peak:.0f} %"
        rate, gflops = 1000 / self.ms_per_slice, 1000 * GFLOP_PER_SLICE / self.ms_per_slice
        return (
            f"| {self.name:28} | {self.batch:5} | {self.ms_per_slice:12.1f} | {rate:8.1f} "
            f"| {gflops:7.0f} | {share:>6} | {self.difference:10.1e} |"
        )


HEADER = (
    f"| {'engine':28} | batch | ms per slice | slices/s | GFLOP/s |   peak | max diff p |\n"
    "|---|---|---|---|---|---|---|"
)


def slices(count: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]:
    """That many payloads of the load test, decoded: int16 (N, 512, 512) HU, float32 (N, 2)."""
    decoded = [decode_slice(body).slice_hu for body in payloads()]
    found = [item for item in decoded if item is not None]
    if not found:
        raise SystemExit("none of the payloads is a slice that can be scored")
    chosen = [found[place % len(found)] for place in range(count)]
    windows = [(item.window.center, item.window.width) for item in chosen]
    return np.stack([item.voxels_hu for item in chosen]), np.array(windows, np.float32)


def load_network(folder: Path) -> tuple[ConvLstm, Manifest]:
    """The network of a model folder, for the CPU."""
    manifest = verify_folder(folder)
    network = build(manifest.network)
    if not isinstance(network, ConvLstm):
        raise SystemExit("the benchmark is for the paper's network")
    network.load_state_dict(load_file(folder / WEIGHTS_FILE))
    flush_denormals(network)
    return network.eval().requires_grad_(False), manifest


def contestants(network: ConvLstm, threads: int) -> list[Contestant]:
    """Torch first: it is the reference."""
    reference = TorchEngine(network, torch.device("cpu"), 1)
    found = [Contestant("torch", "fp32", reference.forward)]
    for variant in variants():
        for skip in (True, False):
            engine = NativeEngine(network, variant, threads, skip_air=skip)
            name = f"native {variant.name}" + ("" if skip else ", no skip")
            found.append(Contestant(name, variant.precision, engine.forward))
    found += [Contestant(*each) for each in outside_engines(network, threads)]
    return found


def gpu_contestants(network: ConvLstm, most: int) -> list[Contestant]:
    """Torch first, in float32, then the kernels; no peak is measured on a GPU."""
    device, copied = torch.device("cuda"), copy.deepcopy(network)
    reference = partial(in_pieces, TorchEngine(copied, device, TORCH_GPU_BATCH).forward)
    found = [Contestant("torch on the GPU", "fp32, GPU", reference)]
    for engine in cuda_engines(copied, device, most):
        name = f"{engine.name} {engine.precision}"
        found.append(Contestant(name, f"{engine.precision}, GPU", engine.forward))
    return found


def in_pieces(
    forward: Forward, voxels_hu: npt.NDArray[np.int16], windows: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """A forward of any batch, in pieces that leave torch memory for its maps."""
    starts = range(0, len(voxels_hu), TORCH_GPU_BATCH)
    parts = [slice(start, start + TORCH_GPU_BATCH) for start in starts]
    return np.concatenate([forward(voxels_hu[part], windows[part]) for part in parts])


def peaks(threads: int) -> dict[str, float]:
    """Measured GFLOP/s of all threads together, by precision."""
    found: dict[str, float] = {}
    for variant in variants():
        found[variant.precision] = max(found.get(variant.precision, 0.0), peak(variant, threads))
    return found


def peak(variant: Variant, threads: int) -> float:
    """GFLOP/s of multiply-adds in registers, on that many threads at once."""
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        done = sum(pool.map(partial(spin, variant), [SPIN_ROUNDS] * threads))
        return done / (time.perf_counter() - started) / 1e9


def times_ms(
    each: Sequence[Contestant], batches: Sequence[int], rounds: int
) -> Mapping[tuple[str, int], float]:
    """Median ms per slice by name and batch; the engines take turns, so all share the noise."""
    voxels, windows = slices(max(batches))
    found: dict[tuple[str, int], list[float]] = {}
    for contestant in each:
        contestant.forward(voxels[:1], windows[:1])
    for _ in range(rounds):
        for batch in batches:
            for contestant in each:
                started = time.perf_counter()
                contestant.forward(voxels[:batch], windows[:batch])
                ms = (time.perf_counter() - started) * 1000 / batch
                found.setdefault((contestant.name, batch), []).append(ms)
    return {key: statistics.median(values) for key, values in found.items()}


def differences(each: Sequence[Contestant], manifest: Manifest) -> dict[str, float]:
    """Largest difference of a calibrated probability from the first contestant, by name."""
    voxels, windows = slices(4)
    p = [
        calibrated(one.forward(voxels, windows), manifest.temperatures, manifest.biases)
        for one in each
    ]
    return {one.name: float(np.abs(q - p[0]).max()) for one, q in zip(each, p, strict=True)}


def measure(
    folder: Path, batches: Sequence[int], rounds: int, threads: int, *, gpu: bool = False
) -> list[Row]:
    """One row for each engine and batch size, of the CPU or of the GPU."""
    keep_freed_pages()
    torch.set_num_threads(threads)
    network, manifest = load_network(folder)
    each = gpu_contestants(network, max(batches)) if gpu else contestants(network, threads)
    top, differ, times = (
        peaks(threads),
        differences(each, manifest),
        times_ms(each, batches, rounds),
    )
    rows = []
    for one in each:
        for batch in batches:
            ms = times[one.name, batch]
            most = top.get(one.precision)
            share = None if most is None else 1000 * GFLOP_PER_SLICE / ms / most
            rows.append(Row(one.name, batch, ms, share, differ[one.name]))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, default=PRETRAINED, help="model folder")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--gpu", action="store_true", help="its engines; try --batches 1 16 256")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=available_cores())
    given = parser.parse_args(arguments)
    rows = measure(given.model, given.batches, given.rounds, given.threads, gpu=given.gpu)
    print(f"threads: {given.threads}; median of {given.rounds} interleaved rounds")
    print("GFLOP/s counts the work of a full slice, also where air was skipped")
    print(HEADER)
    for row in rows:
        print(row.text())


if __name__ == "__main__":
    main()
