"""Assess: all that a finished training is told about itself, from logits to the report.

validation logits, labels -> calibration, thresholds, operating points, series model   (frozen)
test logits, labels       -> report with them, nothing chosen any more

One call for every network and every recipe, so that no run calibrates in a way of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_build import calibrate, delong, intervals, operating, series_level, subgroups
from model_build.evaluate import evaluate_scores
from model_build.evaluation_report import EvaluationReport
from model_build.scores import Scores
from model_build.truth import TRUTH_FILE, Truth, read_truth
from service.artifact import calibrated


@dataclass(frozen=True, slots=True)
class SplitLogits:
    """One split before calibration: logits (N, 6), labels (N, 6) and (N,) keys of each slice."""

    logits: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    names: Sequence[str]
    patients: Sequence[str]
    series: Sequence[str]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What `assess` found: manifest fields by name, scores of both splits, the test report.

    `facts` holds thresholds, temperatures, biases, assumed_prevalence and operating_points;
    `series_model` belongs into the manifest's `evaluation`, where `external` looks for it.
    """

    facts: dict[str, Any]
    series_model: dict[str, Any]
    test: Scores
    validation: Scores
    report: EvaluationReport

    def evaluation(self, data_note: str) -> dict[str, Any]:
        """The `evaluation` field of the manifest: data note, test report, series model.

        The points of the curves stay out of it; `evaluation.json` has them.
        """
        report = json.loads(self.report.to_json())
        del report["curves"]
        return {"data": data_note, "test": report, "series_model": self.series_model}


def assess(
    test: SplitLogits,
    validation: SplitLogits,
    truth: Truth | None = None,
    *,
    replicates: int = intervals.REPLICATES,
    seed: int = 0,
) -> Assessment:
    """Calibrate and choose on validation, evaluate on test.

    Args:
        test: read once; nothing is chosen on it.
        validation: slices of other patients.
        truth: of the test slices, where phantoms know it (`truth.read_truth`).
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: arrays that do not fit, or a patient on both sides.
    """
    if set(test.patients) & set(validation.patients):
        raise ValueError("a patient is in the validation and in the test split")
    temperatures, fitted = calibrate.fit_calibration(validation.logits, validation.labels)
    biases, assumed = calibrate.at_natural_prevalence(fitted, validation.labels)
    scored = {
        name: _scores(split, calibrated(split.logits, temperatures, biases))
        for name, split in (("test", test), ("validation", validation))
    }
    points = operating.choose(scored["validation"].probabilities, validation.labels)
    thresholds = calibrate.choose_thresholds(scored["validation"].probabilities, validation.labels)
    model = series_level.fit(_series(scored["validation"]))
    settings: dict[str, Any] = {"replicates": replicates, "seed": seed}
    found = scored["test"]
    arrays = found.probabilities, found.labels
    report = evaluate_scores(*arrays, found.patients, thresholds, prevalence=assumed, **settings)
    resampling = intervals.draw(found.patients, replicates, seed)
    series = _series(found)
    tables = [
        operating.table(*arrays, points, resampling),
        series_level.table(series, model, **settings),
        delong.table(series, model),
    ]
    report = report.with_more(*tables)
    if truth is not None:
        known = *arrays, thresholds, truth, resampling
        tables = [*subgroups.lesion_tables(*known), *subgroups.scan_tables(*known)]
        report = report.with_more(*tables, curves=subgroups.lesion_curves(*known))
    facts = {
        "thresholds": thresholds,
        "temperatures": temperatures,
        "biases": biases,
        "assumed_prevalence": assumed,
        "operating_points": points,
    }
    return Assessment(facts, model.to_dict(), found, scored["validation"], report)


def load_truth(folder: Path, names: Sequence[str]) -> Truth | None:
    """The truth of these slices where the data folder has one, else None.

    Raises:
        ValueError: as `truth.read_truth`.
    """
    path = folder / TRUTH_FILE
    return read_truth(path, names) if path.exists() else None


def _scores(split: SplitLogits, probabilities: npt.NDArray[np.float64]) -> Scores:
    return Scores(
        names=np.asarray(split.names, dtype=np.str_),
        patients=np.asarray(split.patients, dtype=np.str_),
        series=np.asarray(split.series, dtype=np.str_),
        labels=np.asarray(split.labels, dtype=np.uint8),
        logits=np.asarray(split.logits, dtype=np.float32),
        probabilities=probabilities,
    )


def _series(scores: Scores) -> series_level.SeriesRows:
    return series_level.gather(scores.probabilities, scores.labels, scores.series, scores.patients)
