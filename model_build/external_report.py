"""External report: the figures of a finished model on slices that had no part in making it.

Predicted + manifest -> its calibration, its thresholds, its series model -> ExternalReport
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model_build import delong, intervals, series_level
from model_build.evaluate import evaluate_scores
from model_build.evaluation_report import NOTICE, EvaluationReport, render
from model_build.evaluation_table import Table, aligned
from model_build.series_level import SeriesModel
from service.artifact import Manifest, calibrated

DATA_NOTE = (
    "External slices, no part of training, calibration or choice of thresholds. "
    "The model was trained on synthetic images only."
)
GROUPS = ("patient", "series", "slice")  # what the bootstrap resamples: the first that divides


@dataclass(frozen=True, slots=True)
class Predicted:
    """The slices that could be scored: arrays as in `scores.Scores`, without names."""

    labels: npt.NDArray[np.uint8]
    logits: npt.NDArray[np.float32]
    keys: dict[str, tuple[str, ...]]  # of GROUPS, (N,) each; empty text where unknown


@dataclass(frozen=True, slots=True)
class ExternalReport:
    """What an external evaluation found.

    Attributes:
        model: name, version and hash of the weights.
        data: name of the data set.
        counts: slices labelled, scored and refused by code; corrections of the label table.
        group: what the bootstrap resampled, one of GROUPS.
        at_slices: the report over slices; figures are at the prevalence of these slices.
        at_series: AUROC over series; None when the files name no series.
        at_series_delong: the same over one series per patient, by DeLong.
    """

    model: dict[str, str]
    data: str
    counts: dict[str, int]
    group: str
    at_slices: EvaluationReport
    at_series: Table | None
    at_series_delong: Table | None = None

    def to_json(self) -> str:
        """Readable JSON under the notice; undefined figures are null."""
        content = {"notice": NOTICE, "data_note": DATA_NOTE, **asdict(self)}
        return json.dumps(content, indent=2, allow_nan=False) + "\n"

    def to_text(self) -> str:
        """For the terminal: counts, every table at slice level, AUROC at series level."""
        model = f"{self.model['name']} {self.model['version']} on {self.data}"
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        notes = [f"{model}: {counts}."]
        if self.group != GROUPS[0]:
            notes.append(
                f"The files do not tell patients apart: intervals resample each {self.group}, and "
                "are too narrow if several come from one patient."
            )
        found = [table for table in (self.at_series, self.at_series_delong) if table is not None]
        series = "\n\n".join(f"{table.title}\n{aligned(table)}" for table in found)
        series = series or "Series level: the files name no series."
        return "\n".join([*notes, render(self.at_slices, DATA_NOTE), series]) + "\n"


def summarise(
    predicted: Predicted,
    manifest: Manifest,
    data: str,
    counts: dict[str, int],
    *,
    replicates: int = intervals.REPLICATES,
    seed: int = 0,
) -> ExternalReport:
    """The figures of scored slices, by the calibration and thresholds of the manifest.

    Losses and calibration are those at the prevalence of these slices, which the table shows.
    """
    p = calibrated(predicted.logits, manifest.temperatures, manifest.biases)
    group = next(name for name in GROUPS if _divides(predicted.keys[name]) or name == GROUPS[-1])
    patients, series = predicted.keys[group], predicted.keys["series"]
    settings: dict[str, Any] = {"replicates": replicates, "seed": seed}
    at_slices = evaluate_scores(p, predicted.labels, patients, manifest.thresholds, **settings)
    at_series = at_series_delong = None
    if all(series):
        owners = patients if group == GROUPS[0] else series
        rows = series_level.gather(p, predicted.labels, series, owners)
        stored = manifest.evaluation.get("series_model")
        learned = SeriesModel.from_dict(stored) if stored else None
        at_series = series_level.table(rows, learned, **settings)
        at_series_delong = delong.table(rows, learned)
    model = {
        "name": manifest.name,
        "version": manifest.version,
        "weights_sha256": manifest.weights_sha256,
    }
    return ExternalReport(model, data, counts, group, at_slices, at_series, at_series_delong)


def _divides(keys: tuple[str, ...]) -> bool:
    """Whether every slice has a key and they are not all the same."""
    return all(keys) and len(set(keys)) > 1
