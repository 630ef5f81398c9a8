"""Intervals: replicates against resampled copies of the data, proportions against the tables."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from model_build import intervals
from model_build.intervals import Resampling

PATIENTS = np.repeat([f"p{index}" for index in range(12)], 5)


def tied_scores(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sixty scores on eleven values, so that most are tied, and labels that follow them."""
    generator = np.random.default_rng(seed)
    labels = (generator.random(60) < 0.4).astype(int)
    return np.round(0.3 * labels + 0.7 * generator.random(60), 1), labels


def copied(resampling: Resampling, replicate: int) -> np.ndarray:
    """Row numbers of the replicate written out: each slice as often as its patient was drawn."""
    times = resampling.draws[resampling.patient_of_slice, replicate].astype(int)
    return np.repeat(np.arange(len(times)), times)


def test_a_replicate_draws_as_many_patients_as_there_are() -> None:
    """Twelve draws per replicate, whole patients, reproducible from the seed."""
    first, again, other = (intervals.draw(PATIENTS, 50, seed) for seed in (1, 1, 2))
    assert first.draws.shape == (12, 50)
    assert (first.draws.sum(axis=0) == 12).all()
    assert np.array_equal(first.draws, again.draws)
    assert not np.array_equal(first.draws, other.draws)


def test_slices_of_a_patient_stay_together() -> None:
    """The sum of ones over slices is five times the patients drawn, in every replicate."""
    resampling = intervals.draw(PATIENTS, 50)
    only_first = (PATIENTS == "p0").astype(float)
    found = intervals.sum_replicates(only_first, resampling)
    assert np.array_equal(found, 5 * resampling.draws[0])


def test_ranking_replicates_equal_those_of_copied_slices() -> None:
    """Weighted AUROC and average precision are scikit-learn's on the written-out replicate."""
    scores, labels = tied_scores(3)
    resampling = intervals.draw(PATIENTS, 2 * intervals.CHUNK + 3)
    area, precision = intervals.ranking_replicates(scores, labels, resampling)
    for replicate in (0, intervals.CHUNK, 2 * intervals.CHUNK + 2):
        rows = copied(resampling, replicate)
        assert area[replicate] == pytest.approx(roc_auc_score(labels[rows], scores[rows]))
        expected = average_precision_score(labels[rows], scores[rows])
        assert precision[replicate] == pytest.approx(expected)


@pytest.mark.parametrize("value", [0, 1])
def test_replicates_without_a_class_are_undefined(value: int) -> None:
    """Where the one patient of a class is left out, about every third time, both are NaN."""
    scores, labels = np.linspace(0, 1, 60), np.where(PATIENTS == "p4", value, 1 - value)
    resampling = intervals.draw(PATIENTS, 300)
    area, precision = intervals.ranking_replicates(scores, labels, resampling)
    absent = resampling.draws[np.unique(PATIENTS).tolist().index("p4")] == 0
    assert 60 < absent.sum() < 150
    assert np.array_equal(np.isnan(area), absent)
    assert np.array_equal(np.isnan(precision), absent)


def test_one_class_has_no_replicates() -> None:
    """A label without positives gives NaN throughout and no interval."""
    scores = np.linspace(0, 1, 60)
    resampling = intervals.draw(PATIENTS, 20)
    area, _ = intervals.ranking_replicates(scores, np.zeros(60, dtype=int), resampling)
    assert np.isnan(area).all()
    assert intervals.percentile(area) is None


def test_mean_replicates_weigh_by_slices() -> None:
    """A replicate's mean is over the slices in it, not over its patients."""
    patients = np.array(["a"] * 9 + ["b"])
    resampling = intervals.draw(patients, 40)
    values = np.array([[0.0]] * 9 + [[1.0]])
    found = intervals.mean_replicates(values, resampling)
    of_a, of_b = resampling.draws
    assert found[:, 0] == pytest.approx(of_b / (9 * of_a + of_b))


def test_percentiles_are_those_of_the_replicates() -> None:
    """Of 0..1000, the central 95 % run from 25 to 975."""
    found = intervals.percentile(np.arange(1001.0))
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(25), pytest.approx(975))


@pytest.mark.parametrize(("undefined", "shown"), [(100, True), (101, False)])
def test_few_defined_replicates_give_no_interval(undefined: int, shown: bool) -> None:
    """A tenth of the replicates may be undefined, not more."""
    replicates = np.linspace(0, 1, 1000)
    replicates[:undefined] = np.nan
    assert (intervals.percentile(replicates) is not None) is shown


def test_a_bootstrap_without_width_gives_no_interval() -> None:
    """Replicates all alike say nothing about the uncertainty."""
    assert intervals.percentile(np.ones(100)) is None


def test_patient_bootstrap_is_wider_than_a_slice_bootstrap() -> None:
    """Five identical slices per patient carry the information of one: sqrt(5) times the width."""
    generator = np.random.default_rng(0)
    keys = np.repeat(np.arange(200), 5)
    values = np.repeat(generator.random(200), 5)
    widths = []
    for groups in (keys, np.arange(1000)):
        replicates = intervals.mean_replicates(values, intervals.draw(groups, 1000))
        found = intervals.percentile(replicates)
        assert found is not None
        widths.append(found.high - found.low)
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(5), rel=0.1)


@pytest.mark.parametrize(
    ("trials", "low", "high"),
    [
        (50, 85.1, 98.4),
        (100, 88.8, 97.8),
        (200, 91.0, 97.3),
        (500, 92.7, 96.6),
        (1000, 93.5, 96.2),
        (3000, 94.2, 95.7),
    ],
)
def test_wilson_at_95_percent(trials: int, low: float, high: float) -> None:
    """The Wilson interval of 95 % for the usual numbers of positives."""
    found = intervals.wilson(0.95 * trials, trials)
    assert (100 * found.low, 100 * found.high) == pytest.approx((low, high), abs=0.06)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(20, 20, 83.2, 100), (10, 10, 69.2, 100), (19, 20, 75.1, 99.9), (0, 20, 0, 16.8)],
)
def test_clopper_pearson(successes: int, trials: int, low: float, high: float) -> None:
    """The exact interval that belongs beside every figure of twenty images."""
    found = intervals.clopper_pearson(successes, trials)
    assert (100 * found.low, 100 * found.high) == pytest.approx((low, high), abs=0.06)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_proportions_are_refused(successes: int, trials: int) -> None:
    """No trials, or successes outside them, is an error and not an interval."""
    for method in (intervals.wilson, intervals.clopper_pearson):
        with pytest.raises(ValueError, match="proportion"):
            method(successes, trials)
