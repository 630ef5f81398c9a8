"""Finish: from a trained network to a model folder: calibrate (val), evaluate (test), export.

val logits -> temperatures, biases at the natural prevalence -> operating points
test logits -> p -> evaluation, against the baseline, by series, by lesion size -> report
embeddings, window logits -> abstention, out-of-distribution gate, occlusion ----> report
-> model/ (weights, manifest, golden), scores.npz, evaluation.*, ablations.json (Conv-LSTM)
model/ on every engine of lower precision -> largest differences from float32 -> its manifest
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from model_build import ablation_heads, ablations, assess, baseline, export, guards, precisions
from model_build.card import published_facts
from model_build.config import Recipe
from model_build.evaluate import compare_auroc
from model_build.evaluation_report import EvaluationReport, save
from model_build.outputs import Outputs, outputs_of
from model_build.run import TRAINING_FILE
from model_build.scores import write_scores
from model_build.slice_set import SliceSet
from model_build.splits import Parts
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network

VERSION = "0.4.0"
QUICK_LOOK = 200  # test slices for the other precisions; `precisions` takes them all
GOLDEN_SLICES = 3
BASELINE_SLICES = 8_000  # of train, evenly spread: the probe has a handful of weights
ABLATIONS_FILE = "ablations.json"
DATA_NOTE = "Held-out synthetic phantoms; no patient data was used for training or evaluation."


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
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    outputs = {name: outputs_of(network, source, parts[name], device) for name in ("val", "test")}
    _ablate(network, source, parts, outputs, folder, recipe.seed)
    splits = {name: _split(source, parts[name], outputs[name].logits) for name in outputs}
    known = None if data is None else assess.load_truth(data, splits["test"].names)
    found = assess.assess(splits["test"], splits["val"], known, seed=recipe.seed)
    people, labels = found.test.patients, found.test.labels
    probe = baseline_scores(source, parts)
    against = compare_auroc(found.test.probabilities, probe, labels, people)
    trained = guards.Trained(network, device, source, parts["test"])
    tables, curves = guards.examine(trained, outputs, found, seed=recipe.seed)
    report = found.report.with_baseline(against).with_more(*tables, curves=curves)
    found = replace(found, report=report)
    facts = {
        **found.facts,
        "training": json.loads((folder / TRAINING_FILE).read_text(encoding="utf-8")),
        "evaluation": found.evaluation(DATA_NOTE) | {"published": published_facts()},
    }
    golden = golden_inputs(source, parts["test"])
    export.write_folder(folder / "model", network.cpu(), recipe.network, VERSION, golden, facts)
    precisions.record(folder / "model", source, precisions.spread(parts["test"], QUICK_LOOK))
    write_scores(folder, found.test, found.validation)
    save(found.report, folder, DATA_NOTE)
    return found.report


def _ablate(
    network: Network,
    source: SliceSet,
    parts: Parts,
    outputs: Mapping[str, Outputs],
    folder: Path,
    seed: int,
) -> None:
    """Write what other readings of its windows say; nothing for other networks."""
    here, usual = outputs["test"].features, outputs["val"].features
    if not isinstance(network, ConvLstm) or network.window_head is None:
        return
    if here is None or usual is None:
        return
    test, val = parts["test"], parts["val"]
    table = ablations.ablate(
        network,
        here,
        source.labels[test],
        [source.patients[row] for row in test],
        seed,
        heads=ablation_heads.kept(folder, seed),
        validation=(usual, source.labels[val]),
    )
    text = json.dumps(asdict(table), indent=2) + "\n"
    (folder / ABLATIONS_FILE).write_text(text, encoding="utf-8")


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
