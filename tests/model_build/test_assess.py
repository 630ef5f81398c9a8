"""Assess: what is chosen comes from validation alone, and all of it reaches the manifest."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model_build import assess
from model_build.evaluation_table import Table
from model_build.prevalence import NATURAL
from model_build.series_level import SeriesModel
from model_build.truth import Truth
from service.artifact import parse_manifest
from tests.service.fakes import make_manifest


def split(name: str, seed: int, series: int = 24) -> assess.SplitLogits:
    """Series of ten slices with informative logits, `any` consistent; one patient each."""
    generator = np.random.default_rng(seed)
    count = 10 * series
    labels = (generator.random((count, 6)) < 0.25).astype(np.uint8)
    labels[:, 5] = labels[:, :5].max(axis=1)
    logits = generator.normal(3.0 * labels - 2.0, 1.0).astype(np.float32)
    keys = np.repeat([f"{name}{k}" for k in range(series)], 10).tolist()
    return assess.SplitLogits(logits, labels, [f"ID_{name}{k}" for k in range(count)], keys, keys)


def assessed(**changes: Any) -> assess.Assessment:
    """The assessment of two splits, some arguments replaced."""
    given = {"test": split("t", 0), "validation": split("v", 1), "replicates": 50, **changes}
    return assess.assess(**given)


def test_facts_are_fields_of_a_manifest() -> None:
    """A manifest with them is valid and survives the round trip."""
    found = assessed()
    manifest = make_manifest(**found.facts, evaluation=found.evaluation("note"))
    again = parse_manifest(manifest.to_json())
    assert again.assumed_prevalence == NATURAL
    assert again.operating_points["balanced"] == again.thresholds == found.facts["thresholds"]
    assert SeriesModel.from_dict(again.evaluation["series_model"]).weights.shape == (6, 3)
    assert "curves" not in again.evaluation["test"]


def test_nothing_is_chosen_on_the_test_split() -> None:
    """Another test split changes the report and no fact."""
    first, second = assessed(), assessed(test=split("t", 7))
    assert first.facts == second.facts
    assert first.series_model == second.series_model
    assert first.report != second.report


def test_scores_are_calibrated_logits_of_both_splits() -> None:
    """Probabilities follow from logits by the facts; validation is there for later tables."""
    found = assessed()
    z = found.test.logits / np.array(found.facts["temperatures"]) + found.facts["biases"]
    np.testing.assert_allclose(found.test.probabilities, 1 / (1 + np.exp(-z)), rtol=1e-6)
    assert len(found.validation) == 240
    assert found.test.names[3] == "ID_t3"


def test_report_is_at_the_natural_prevalence_with_every_table() -> None:
    """Operating points and series always; subgroups where the truth is known."""

    def titles(tables: tuple[Table, ...]) -> str:
        return "\n".join(table.title for table in tables)

    report = assessed().report
    assert report.assumed_prevalence == NATURAL
    assert "rule_out" in titles(report.further)
    assert "Series level: AUROC over 24 series" in titles(report.further)
    assert "Sensitivity by volume" not in titles(report.further)
    truth = Truth(
        np.full((240, 6), 2.0), np.full((240, 6), 3.0), {"kvp": np.array(["100", "120"] * 120)}
    )
    known = assessed(truth=truth).report
    assert "Sensitivity by volume" in titles(known.further)
    assert "`any` by kvp" in titles(known.further)
    assert {"reliability", "sensitivity by volume_ml"} <= {curve.kind for curve in known.curves}
    json.loads(known.to_json())


def test_a_patient_on_both_sides_is_refused() -> None:
    """Leakage is an error, not a better figure."""
    validation = replace(split("v", 1), patients=split("t", 0).patients)
    with pytest.raises(ValueError, match="patient"):
        assessed(validation=validation)
