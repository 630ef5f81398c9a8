"""Finish: from a trained network to a model folder: calibrate (val), evaluate (test), export.

val logits -> temperatures, biases at the natural prevalence -> operating points
test logits -> p -> evaluation, against the baseline, by series, by lesion size -> report
-> model/ (weights, manifest, golden), scores.npz, evaluation.*, ablations.json (Conv-LSTM)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from model_build import ablation_heads, ablations, assess, baseline, export
from model_build.card import published_facts
from model_build.config import Recipe
from model_build.evaluate import compare_auroc
from model_build.evaluation_report import EvaluationReport, save
from model_build.inference import features_of, logits_of
from model_build.run import TRAINING_FILE
from model_build.scores import write_scores
from model_build.slice_set import SliceSet
from model_build.splits import Parts
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network

VERSION = "0.2.0"
GOLDEN_SLICES = 3
BASELINE_SLICES = 8_000  # of train, evenly spread: the probe has a handful of weights
ABLATIONS_FILE = "ablations.json"
DATA_NOTE = "Held-out synthetic phantoms; no patient data was used for training or evaluation."
Logits = dict[str, npt.NDArray[np.float32]]


def finish(
    recipe: Recipe,
    source: SliceSet,
    parts: Parts,
    network: Network,
    folder: Path,
    data: Path | None = None,
) -> EvaluationReport:
    """Calibrate on val, evaluate on test beside the baseline, write model folder and report.

    Args:
        recipe: of the training.
        source: its slices.
        parts: its splits.
        network: trained, in evaluation mode.
        folder: of the run, with its training.json.
        data: folder of the slices; phantoms have a truth.csv there, for figures by lesion size.
    """
    logits = _logits(network, source, parts, folder, recipe.seed)
    splits = {name: _split(source, parts[name], logits[name]) for name in ("val", "test")}
    known = None if data is None else assess.load_truth(data, splits["test"].names)
    found = assess.assess(splits["test"], splits["val"], known, seed=recipe.seed)
    people, labels = found.test.patients, found.test.labels
    probe = baseline_scores(source, parts)
    against = compare_auroc(found.test.probabilities, probe, labels, people)
    found = replace(found, report=found.report.with_baseline(against))
    facts = {
        **found.facts,
        "training": json.loads((folder / TRAINING_FILE).read_text(encoding="utf-8")),
        "evaluation": found.evaluation(DATA_NOTE) | {"published": published_facts()},
    }
    golden = golden_inputs(source, parts["test"])
    export.write_folder(folder / "model", network.cpu(), recipe.network, VERSION, golden, facts)
    write_scores(folder, found.test, found.validation)
    save(found.report, folder, DATA_NOTE)
    return found.report


def _logits(network: Network, source: SliceSet, parts: Parts, folder: Path, seed: int) -> Logits:
    """Logits of val and test; for the Conv-LSTM also what other readings of its windows say."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not isinstance(network, ConvLstm):
        return {name: logits_of(network, source, parts[name], device) for name in ("val", "test")}
    features = {
        name: features_of(network, source, parts[name], device, mixed_precision=False)
        for name in ("val", "test")
    }
    with torch.inference_mode():
        found = {
            name: network.sequence_logits(values.to(device)).cpu().numpy()
            for name, values in features.items()
        }
    test, val = parts["test"], parts["val"]
    table = ablations.ablate(
        network,
        features["test"],
        source.labels[test],
        [source.patients[row] for row in test],
        seed,
        heads=ablation_heads.kept(folder, seed),
        validation=(features["val"], source.labels[val]),
    )
    text = json.dumps(asdict(table), indent=2) + "\n"
    (folder / ABLATIONS_FILE).write_text(text, encoding="utf-8")
    return found


def _split(
    source: SliceSet, rows: npt.NDArray[np.intp], logits: npt.NDArray[np.float32]
) -> assess.SplitLogits:
    def picked(values: Sequence[str]) -> list[str]:
        return [values[row] for row in rows]

    return assess.SplitLogits(
        logits=logits,
        labels=source.labels[rows],
        names=picked(source.names),
        patients=picked(source.patients),
        series=picked(source.series),
    )


def baseline_scores(source: SliceSet, parts: Parts) -> npt.NDArray[np.float64]:
    """Probabilities of the threshold-and-area probe on test, fitted on train: (N, 6)."""
    train = parts["train"]
    chosen = {"train": train[:: max(1, -(-len(train) // BASELINE_SLICES))], "test": parts["test"]}
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        features = {
            name: np.stack(list(pool.map(lambda row: _features(source, row), rows)))
            for name, rows in chosen.items()
        }
    probe = baseline.fit(features["train"], source.labels[chosen["train"]])
    return probe.score(features["test"])


def _features(source: SliceSet, row: int) -> npt.NDArray[np.float64]:
    return baseline.slice_features(np.asarray(source.voxels[row]))


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
