"""Precisions: how far every engine of lower precision moves the probabilities, for the manifest.

golden vectors and held-out slices ─┬─> torch in float32 ─> logits ─┐
                                    └─> each engine ──────> logits ─┴─> parity.compare ─> manifest
Serving uses a precision only where this kept the promise of `service.engine.parity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from tqdm import tqdm

from model_build.export import load_folder, write_manifest
from model_build.slice_set import SliceSet
from service.artifact import GOLDEN_FILE, Manifest
from service.engine.compiled_engine import CompiledTorchEngine, CompileUnavailable
from service.engine.native.engine import NativeEngine
from service.engine.native.library import variants
from service.engine.parity import Agreement, compare
from service.engine.protocol import InferenceEngine
from service.engine.torch_engine import CPU_MAX_BATCH, TorchEngine
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network
from service.types import SLICE_SIZE

Batch = tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]


def record(
    folder: Path,
    source: SliceSet,
    rows: npt.NDArray[np.intp],
    *,
    compiled: bool = False,
    progress: bool = True,
) -> Manifest:
    """Measure what this machine has and write it into the manifest of a model folder.

    Engines that other machines measured before, and this one lacks, keep their entries.

    Args:
        folder: the model folder.
        source: the slices.
        rows: those to compare on, beside the golden vectors: held out from training.
        compiled: also what torch.compile makes, which takes it tens of seconds.
        progress: show a bar.

    Raises:
        ArtifactError: as `export.load_folder`.
    """
    manifest, network = load_folder(folder)
    count = 1 + -(-len(rows) // CPU_MAX_BATCH)
    batches = tqdm(_batches(folder, source, rows), "precisions", total=count, disable=not progress)
    engines = engines_of(network, torch.get_num_threads(), compiled=compiled)
    reference = TorchEngine(network, torch.device("cpu"), CPU_MAX_BATCH)
    found = measure(reference, engines, batches, manifest)
    for engine in engines:
        engine.close()
    entries = {name: asdict(agreement) for name, agreement in found.items()}
    return write_manifest(folder, manifest, precisions={**manifest.precisions, **entries})


def engines_of(network: Network, threads: int, *, compiled: bool) -> list[InferenceEngine]:
    """Every engine of this machine's CPU that is not float32; each variant of the kernel is one."""
    found: list[InferenceEngine] = [
        TorchEngine(network, torch.device("cpu"), CPU_MAX_BATCH, "bf16")
    ]
    if compiled:
        try:
            found.append(CompiledTorchEngine(network, "bf16"))
        except CompileUnavailable as error:
            print(f"torch_compiled is left out: {error}")
    if isinstance(network, ConvLstm) and network.config["size"] == SLICE_SIZE:
        lower = (each for each in variants() if each.precision != "fp32")
        found += [NativeEngine(network, variant, threads) for variant in lower]
    return found


def measure(
    reference: InferenceEngine,
    engines: Sequence[InferenceEngine],
    batches: Iterable[Batch],
    manifest: Manifest,
) -> dict[str, Agreement]:
    """The agreement of each engine with the reference, by engine and precision.

    Variants of one name and precision share an entry: the worst of them.

    Args:
        reference: float32.
        engines: what is compared with it.
        batches: int16 (B, 512, 512) HU and float32 (B, 2) windows.
        manifest: calibration and thresholds.
    """
    every = [reference, *engines]
    logits: list[list[npt.NDArray[np.float32]]] = [[] for _ in every]
    for batch in batches:
        for rows, engine in zip(logits, every, strict=True):
            rows.append(engine.forward(*batch))
    expected, *others = (np.concatenate(rows) for rows in logits)
    found: dict[str, Agreement] = {}
    for engine, answers in zip(engines, others, strict=True):
        key = f"{engine.name}-{engine.precision}"
        agreement = compare(answers, expected, manifest)
        found[key] = _worst(agreement, found.get(key, agreement))
    return found


def spread(rows: npt.NDArray[np.intp], count: int | None) -> npt.NDArray[np.intp]:
    """That many of the rows, evenly spread; all of them without a count."""
    if count is None or count >= len(rows):
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).astype(np.intp)]


def lines(manifest: Manifest) -> list[str]:
    """What the manifest says of each precision, a line each."""
    found = []
    for name, entry in manifest.precisions.items():
        agreement = Agreement(**entry)
        verdict = "allowed" if agreement.holds else "not used"
        found.append(
            f"{name}: probabilities differ by at most {agreement.max_probability_difference:.4f}, "
            f"{agreement.flips} decisions flip, {agreement.slices} slices: {verdict}"
        )
    return found


def _worst(one: Agreement, other: Agreement) -> Agreement:
    worst = max(one.max_probability_difference, other.max_probability_difference)
    return Agreement(worst, max(one.flips, other.flips), min(one.slices, other.slices))


def _batches(folder: Path, source: SliceSet, rows: npt.NDArray[np.intp]) -> Iterator[Batch]:
    """The golden vectors, then the rows, a few at a time: together they may not fit the memory."""
    golden = load_file(folder / GOLDEN_FILE)
    yield golden["voxels_hu"].numpy(), golden["windows"].numpy()
    for start in range(0, len(rows), CPU_MAX_BATCH):
        some = rows[start : start + CPU_MAX_BATCH]
        yield np.stack([source.read(row) for row in some]), source.windows[some]
