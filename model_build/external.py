"""External: a finished model on labelled slices that had no part in making it.

root + label table -> adapters -> HU -> network -> the model's own calibration and thresholds
                                                -> report at slice and at series level, JSON

Nothing is fitted here: not the calibration, not a threshold, not the series score. What the gate
refuses is left out and counted by code, because a figure over "what could be read" must say so.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from model_build import export, intervals
from model_build.adapters.catalog import open_source, require_slice_labels, require_usable
from model_build.adapters.records import Item, Record, SliceSource
from model_build.distributed import join
from model_build.external_report import ExternalReport, Predicted, summarise
from model_build.inference import BATCH_CPU, BATCH_CUDA, each_logits
from service.model.registry import Network

JSON_FILE = "external.json"


def evaluate_external(
    root: Path,
    labels_csv: Path | None,
    model: str,
    *,
    out: Path,
    data: str = "rsna",
    replicates: int = intervals.REPLICATES,
    seed: int = 0,
    progress: bool = True,
) -> ExternalReport:
    """Score a labelled folder with a finished model, print the figures, write `external.json`.

    Args:
        root: folder of the slices, nested as it likes.
        labels_csv: label table in either public layout; None: the one in the folder.
        model: tag in the BentoML store, or a model folder.
        out: folder that the JSON is written to.
        data: kind of the data set (`adapters.catalog`).
        replicates: of the bootstrap.
        seed: of the bootstrap.
        progress: whether to show a bar.

    Raises:
        ArtifactError: no such model, or it differs from its manifest.
        ValueError: the label table is inconsistent, or no labelled slice could be scored.
        FileNotFoundError: folder, table or every labelled file is missing.
    """
    manifest, network = export.load_folder(export.model_folder(model))
    source = open_source(data, root, labels_csv)
    require_slice_labels(source.facts)
    require_usable(source.facts, str(manifest.network["name"]))
    listing = source.listing()
    items = [item for item in listing.items if item.labels is not None and item.usable]
    refused: Counter[str] = Counter()
    predicted = predict(network, source, items, refused, progress=progress)
    counts = {"labelled": len(items), "scored": len(predicted.labels), **listing.corrections}
    counts |= {f"refused: {code}": count for code, count in sorted(refused.items())}
    report = summarise(predicted, manifest, data, counts, replicates=replicates, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    (out / JSON_FILE).write_text(report.to_json(), encoding="utf-8")
    print(report.to_text())
    return report


def predict(
    network: Network,
    source: SliceSource,
    items: Sequence[Item],
    refused: Counter[str],
    *,
    progress: bool = True,
) -> Predicted:
    """Logits of every slice that the gate accepts; the codes of the others go to `refused`.

    Raises:
        ValueError: no slice was accepted.
    """
    device = join().device  # also sets the allocator, without which a CPU is slow
    network.to(device=device, memory_format=torch.channels_last).eval()
    size = BATCH_CUDA if device.type == "cuda" else BATCH_CPU
    kept: list[Record] = []
    with tqdm(total=len(items), desc="evaluate", unit="slice", disable=not progress) as bar:
        records = _accepted(source, items, refused, bar)

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            while batch := list(itertools.islice(records, size)):
                # The voxels of thousands of slices would fill the memory.
                kept.extend(replace(record, voxels=None) for record in batch)
                yield _tensors(batch, device)

        logits = list(each_logits(network, batches(), device))
    if not kept:
        raise ValueError(f"no labelled slice could be scored; refused: {dict(refused)}")
    keys = {
        "patient": tuple(record.patient_key for record in kept),
        "series": tuple(record.series_key or record.study_key for record in kept),
        "slice": tuple(record.item.name for record in kept),
    }
    labels = np.array([record.item.labels for record in kept], dtype=np.uint8)
    return Predicted(labels, torch.cat(logits).numpy(), keys)


def _accepted(
    source: SliceSource, items: Sequence[Item], refused: Counter[str], bar: tqdm[Any]
) -> Iterator[Record]:
    for _, group in itertools.groupby(items, key=lambda item: item.path):
        for record in source.read(list(group)):
            bar.update()
            if record.voxels is None:
                refused[record.refused] += 1
            else:
                yield record


def _tensors(batch: Sequence[Record], device: torch.device) -> tuple[Tensor, Tensor]:
    voxels = np.stack([record.voxels for record in batch if record.voxels is not None])
    windows = torch.tensor([record.window for record in batch], dtype=torch.float32)
    return torch.from_numpy(voxels).to(device), windows.to(device)
