"""Run: the whole way of a recipe, from nothing to a verified model folder.

phantoms -> cache -> splits -> train -> calibrate and choose thresholds (val) -> evaluate (test)
         -> export
"""

from __future__ import annotations

import json
import platform
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from model_build import baseline, calibrate, export, splits
from model_build.cache import load
from model_build.config import Recipe
from model_build.dataset import SliceSet
from model_build.distributed import Place
from model_build.evaluate import compare_auroc, evaluate_scores
from model_build.evaluation_report import EvaluationReport, save
from model_build.inference import logits_of
from model_build.synthetic.generate import generate
from model_build.train import Trainer
from service.artifact import calibrated
from service.model.conv_lstm import ConvLstm
from service.types import LABELS

VERSION = "0.1.0"
GOLDEN_SLICES = 3
TRAINING_FILE = "training.json"
DATA_NOTE = "Held-out synthetic phantoms; no patient data was used for training or evaluation."
Splits = dict[str, npt.NDArray[np.intp]]


def phantoms(recipe: Recipe, folder: Path, workers: int) -> None:
    """Generate the recipe's phantoms; what is complete already is kept."""
    generate(folder, series=recipe.phantom_series, seed=recipe.seed, workers=workers)


def prepare(recipe: Recipe, data: Path, cache: Path, workers: int) -> tuple[SliceSet, Splits]:
    """Decode and split: patients to train, val and test; subvisible slices to none."""
    source = load(data, cache, workers)
    found = splits.split_patients(source.patients, recipe.split, recipe.seed)
    return source, {name: index[source.usable[index]] for name, index in found.items()}


def train(recipe: Recipe, source: SliceSet, parts: Splits, folder: Path, place: Place) -> ConvLstm:
    """Train, or resume, the staged recipe in its run folder."""
    trainer = Trainer(recipe, source, parts["train"], folder, place)
    network = trainer.run()
    facts = training_facts(recipe, source, parts, trainer.state.seconds, place)
    if place.is_first:
        (folder / TRAINING_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return network


def training_facts(
    recipe: Recipe, source: SliceSet, parts: Splits, seconds: dict[str, float], place: Place
) -> dict[str, Any]:
    """What the manifest says of the training: recipe, data counts, duration, hardware."""
    cuda = place.device.type == "cuda"
    return {
        "data": "synthetic phantoms of model_build.synthetic",
        "recipe": asdict(recipe),
        "slices": {name: len(index) for name, index in parts.items()},
        "patients": {
            name: len({source.patients[row] for row in index}) for name, index in parts.items()
        },
        "positives": {
            name: dict(zip(LABELS, source.labels[index].sum(axis=0).tolist(), strict=True))
            for name, index in parts.items()
        },
        "left_out": {"subvisible": int((~source.usable).sum()), "refused_by_gate": source.refused},
        "seconds": seconds,
        "hardware": {
            "device": torch.cuda.get_device_name() if cuda else platform.machine(),
            "threads": torch.get_num_threads(),
            "processes": place.world,
        },
        "torch": torch.__version__,
        "finished": datetime.now(UTC).date().isoformat(),
    }


def finish(source: SliceSet, parts: Splits, network: ConvLstm, folder: Path) -> EvaluationReport:
    """Calibrate on val, evaluate on test beside the baseline, write model folder and report."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    logits = {name: logits_of(network, source, parts[name], device) for name in ("val", "test")}
    labels = {name: source.labels[index] for name, index in parts.items()}
    temperatures, biases = calibrate.fit_calibration(logits["val"], labels["val"])
    scores = {name: calibrated(values, temperatures, biases) for name, values in logits.items()}
    thresholds = calibrate.choose_thresholds(scores["val"], labels["val"])
    patients = [source.patients[row] for row in parts["test"]]
    report = evaluate_scores(scores["test"], labels["test"], patients, thresholds)
    simple = baseline_scores(source, parts)
    report = report.with_baseline(compare_auroc(scores["test"], simple, labels["test"], patients))
    facts = {
        "thresholds": thresholds,
        "temperatures": temperatures,
        "biases": biases,
        "training": json.loads((folder / TRAINING_FILE).read_text(encoding="utf-8")),
        "evaluation": {"data": DATA_NOTE, "test": json.loads(report.to_json())},
    }
    golden = golden_inputs(source, parts["test"])
    export.write_folder(folder / "model", network.cpu().eval(), "conv_lstm", VERSION, golden, facts)
    save(report, folder, DATA_NOTE)
    return report


def baseline_scores(source: SliceSet, parts: Splits) -> npt.NDArray[np.float64]:
    """Probabilities of the threshold-and-area probe on test, fitted on train: (N, 6)."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        features = {
            name: np.stack(list(pool.map(baseline.slice_features, source.voxels[parts[name]])))
            for name in ("train", "test")
        }
    probe = baseline.fit(features["train"], source.labels[parts["train"]])
    return probe.score(features["test"])


def golden_inputs(
    source: SliceSet, indices: npt.NDArray[np.intp]
) -> tuple[torch.Tensor, torch.Tensor]:
    """A few slices for the golden vectors: without a finding, and the most of them."""
    findings = source.labels[indices].sum(axis=1)
    order = indices[np.argsort(findings, kind="stable")]
    chosen = np.linspace(0, len(order) - 1, GOLDEN_SLICES).astype(np.intp)
    rows = order[chosen]
    voxels = torch.from_numpy(np.array(source.voxels[rows]))
    return voxels, torch.from_numpy(source.windows[rows])
