"""Unet run: patient-wise cross-validation of the U-Net, its tables and its slice scores.

SegmentationSet -> `folds` -> per fold: train, choose the epoch on val, predict test
   -> result.json  Dice and Jaccard by subtype, fold values, the paper's claims beside them
   -> scores.npz   per slice: soft area and probability of `any`, never by a network that saw it
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from model_build import intervals, metrics
from model_build.calibrate import fit_calibration
from model_build.companions import overlap
from model_build.companions.segmentation_data import SegmentationSet
from model_build.companions.unet_training import Fold, Rows, UnetSettings, fit, predict
from service.artifact import calibrated
from service.types import LABELS

RESULT_FILE, SCORES_FILE = "result.json", "scores.npz"
NOTICE = "Research use only, not a medical device."
SMALLEST_AREA = 1e-7  # so that a slice without any blood has a logarithm
ANY = LABELS.index("any")


def run_unet(
    data: SegmentationSet,
    settings: UnetSettings,
    folder: Path,
    device: torch.device,
    *,
    data_note: str,
    progress: bool = True,
    replicates: int = intervals.REPLICATES,
) -> dict[str, Any]:
    """Cross-validate the U-Net; resumes by epoch and by fold. Writes and returns the result.

    Args:
        data: slices of `settings.size` pixels with masks.
        settings: how to train.
        folder: of the run.
        device: where to compute.
        data_note: one sentence on the data, printed with the figures.
        progress: whether to show bars.
        replicates: of the bootstrap.

    Raises:
        ValueError: the size differs, too few patients with blood, or a run of other settings.
    """
    if data.size != settings.size:
        raise ValueError("the images do not have the size of the settings")
    found = np.zeros((len(data), 3), np.int64)
    areas, probabilities = np.zeros((2, len(data)))
    home = np.zeros(len(data), np.int64)
    histories = []
    for fold in folds(data, settings.folds, settings.seed):
        place = folder / f"fold_{fold.number}"
        network, history = fit(data, fold, settings, place, device, progress=progress)
        histories.append(history)
        found[fold.test], areas[fold.test] = predict(network, data, fold.test, settings.batch)
        known = predict(network, data, fold.val, settings.batch)[1]
        present = data.labels[fold.val, ANY]
        probabilities[fold.test] = any_probabilities(known, present, areas[fold.test])
        home[fold.test] = fold.number
    result = {
        "notice": NOTICE,
        "data_note": data_note,
        "settings": asdict(settings),
        "data": _facts(data),
        "hardware": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        **_figures(data, found, areas, home, settings, replicates),
        "histories": histories,
    }
    _save(folder, data, result, areas, probabilities, home)
    return result


def folds(data: SegmentationSet, count: int, seed: int) -> list[Fold]:
    """Patients into folds; each is tested once, the next fold chooses the epoch, the rest train.

    Patients with blood are dealt out first, so every fold has some. The order is that of a seeded
    hash: the same patients give the same folds.

    Raises:
        ValueError: fewer than three folds, or fewer patients with blood than folds.
    """
    bloody = {key for key, mask in zip(data.patients, data.masks, strict=True) if mask.any()}
    if count < 3 or len(bloody) < count:
        raise ValueError(f"{count} folds need at least three, and a patient with blood in each")
    keys = sorted(set(data.patients), key=lambda key: (key not in bloody, _rank(key, seed)))
    home = {key: place % count for place, key in enumerate(keys)}
    of_slice = np.array([home[key] for key in data.patients])
    rows = [np.flatnonzero(of_slice == number) for number in range(count)]
    return [_fold(rows, number) for number in range(count)]


def any_probabilities(
    known_areas: npt.NDArray[np.float64],
    known_labels: npt.NDArray[np.integer],
    areas: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Probability of blood anywhere on slices of these soft areas: (N,) -> (N,).

    Temperature and bias of the log area are fitted on the known slices, of other patients.
    """
    logits = [np.log(np.maximum(each, SMALLEST_AREA))[:, None] for each in (known_areas, areas)]
    return calibrated(logits[1], *fit_calibration(logits[0], known_labels[:, None]))[:, 0]


def _fold(rows: Sequence[Rows], number: int) -> Fold:
    val = (number + 1) % len(rows)
    rest = [each for place, each in enumerate(rows) if place not in (number, val)]
    return Fold(number, np.sort(np.concatenate(rest)), rows[val], rows[number])


def _rank(patient: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{patient}".encode()).hexdigest()


def _facts(data: SegmentationSet) -> dict[str, Any]:
    return {
        "source": data.source,
        "slices": len(data),
        "patients": len(set(data.patients)),
        "slices_with_mask": int(data.masks.any(axis=(1, 2)).sum()),
        "positives": dict(zip(LABELS, data.labels.sum(axis=0).tolist(), strict=True)),
    }


def _figures(
    data: SegmentationSet,
    found: overlap.Counts,
    areas: npt.NDArray[np.float64],
    home: npt.NDArray[np.int64],
    settings: UnetSettings,
    replicates: int,
) -> dict[str, Any]:
    """Everything that is reported of the predictions of all folds."""
    table = overlap.table(found, data.labels, data.patients, settings.seed, replicates)
    by_fold = [
        overlap.table(
            found[home == number],
            data.labels[home == number],
            [key for key, own in zip(data.patients, home, strict=True) if own == number],
            settings.seed,
            1,
        )
        for number in range(settings.folds)
    ]
    return {
        "overlap": asdict(table),
        "folds": {
            row.name: [each.row(row.name).figures["dice"].value for each in by_fold]
            for row in table.rows
        },
        "claimed_not_reproduced": {
            "source": "Hssayeni et al. 2020, Data 5(1):14, other data",
            "dice": dict(overlap.CLAIMED_DICE),
        },
        "empty_and_missed": dict(overlap.false_alarms(found)),
        "any_auroc_of_soft_area": metrics.auroc(areas, data.labels[:, ANY]),
    }


def _save(
    folder: Path,
    data: SegmentationSet,
    result: dict[str, Any],
    areas: npt.NDArray[np.float64],
    probabilities: npt.NDArray[np.float64],
    home: npt.NDArray[np.int64],
) -> None:
    text = json.dumps(result, indent=2, allow_nan=False) + "\n"
    (folder / RESULT_FILE).write_text(text, encoding="utf-8")
    np.savez_compressed(
        folder / SCORES_FILE,
        names=np.array(data.names),
        patients=np.array(data.patients),
        labels=data.labels,
        fold=home,
        soft_area=areas,
        any_probability=probabilities,
    )
