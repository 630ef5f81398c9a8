"""Run folders: small finished runs, written in the form that the report reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from model_build.curves import Curves
from model_build.evaluate import evaluate_scores
from model_build.evaluation_report import save
from model_build.prevalence import NATURAL
from model_build.reliability import Curve
from model_build.scores import Scores, write_scores
from service.artifact import Manifest
from service.model.windows import FIXED_WINDOWS
from service.types import LABELS

SLICES, PATIENTS = 400, 40
ENDS = (0.3, None), (0.7, None)
WEIGHTS = 7  # learned numbers of every run's file


def scores(seed: int, strength: float = 3.0) -> Scores:
    """A split whose probabilities follow the labels, the more so the larger `strength`."""
    rng = np.random.default_rng(11)  # the same slices for every run
    subtypes = rng.random((SLICES, 5)) < 0.12
    labels = np.column_stack([subtypes, subtypes.any(axis=1)]).astype(np.uint8)
    noise = np.random.default_rng(seed).normal(0, 1, labels.shape)
    logits = (strength * (labels - 0.5) + noise).astype(np.float32)
    keys = [row % PATIENTS for row in range(SLICES)]
    return Scores(
        names=np.array([f"ID_{row:06d}" for row in range(SLICES)]),
        patients=np.array([f"P{key:03d}" for key in keys]),
        series=np.array([f"S{key:03d}" for key in keys]),
        labels=labels,
        logits=logits,
        probabilities=1 / (1 + np.exp(-logits.astype(np.float64))),
    )


def write_run(
    folder: Path,
    network: str,
    *,
    seed: int = 0,
    strength: float = 3.0,
    training: Mapping[str, Any] | None = None,
) -> Path:
    """A finished run of this network; `training` replaces facts of training.json."""
    split = scores(seed, strength)
    folder.mkdir(parents=True)
    write_scores(folder, split, split)
    thresholds = (0.4,) * len(LABELS)
    report = evaluate_scores(
        split.probabilities,
        split.labels,
        split.patients,
        thresholds,
        prevalence=NATURAL,
        replicates=50,
    )
    by_volume = Curve("sensitivity by volume_ml", "any", (1.0, 9.0), (0.5, 1.0), *ENDS, (5, 7))
    save(report.with_more(curves=(by_volume,)), folder, "Made-up scores of a test.")
    facts = {
        "data": "made-up scores of a test",
        "initialisation": "from scratch",
        "slices_seen": 1234,
        "seconds": {"window": 12.5},
        "hardware": {"device": "test"},
        "slices": {"train": 1, "val": 2, "test": SLICES},
        "positives": {name: dict.fromkeys(LABELS, 3) for name in ("train", "val", "test")},
        **(training or {}),
    }
    (folder / "training.json").write_text(json.dumps(facts), encoding="utf-8")
    _write_curves(folder)
    _write_model(folder / "model", network, thresholds, facts)
    return folder


def _write_curves(folder: Path) -> None:
    curves = Curves(folder)
    for stage, start in (("window", 0.6), ("joint", 0.3)):
        for step in range(20, 401, 20):
            curves.loss(stage, step, start * (0.5 + 20 / step), step / 10)
            if step % 100 == 0:
                curves.validation(stage, step, {"loss": start * (0.6 + 20 / step)})
    curves.close()


def _write_model(
    folder: Path, network: str, thresholds: tuple[float, ...], training: Mapping[str, Any]
) -> None:
    folder.mkdir()
    weights = {"head.weight": torch.zeros(2, 3), "head.bias": torch.zeros(1)}
    save_file({**weights, "bn.running_mean": torch.zeros(5)}, folder / "model.safetensors")
    manifest = Manifest(
        name="ich_convlstm",
        version="0.0.1",
        network={"name": network, "config": {}, "fixed_windows": [list(w) for w in FIXED_WINDOWS]},
        labels=LABELS,
        thresholds=thresholds,
        temperatures=(1.0,) * len(LABELS),
        biases=(0.0,) * len(LABELS),
        weights_sha256="0" * 64,
        golden_sha256="0" * 64,
        golden_tolerance={"float32": 1e-3},
        training=dict(training),
    )
    (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
