"""Evaluate: whole reports on scores whose figures can be counted."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss

from model_build.evaluate import compare_auroc, evaluate_scores
from model_build.evaluation_report import EvaluationReport, clearly_above
from service.types import LABELS

HALF = (0.5,) * 6


def sample(patients: int = 30, slices: int = 6, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Informative but imperfect probabilities, labels with `any` consistent, patient keys."""
    generator = np.random.default_rng(seed)
    count = patients * slices
    labels = (generator.random((count, 6)) < 0.3).astype(int)
    labels[:, 5] = labels[:, :5].max(axis=1)
    probabilities = np.clip(0.4 * labels + 0.6 * generator.random((count, 6)), 0, 1)
    return probabilities, labels, np.repeat([f"p{i}" for i in range(patients)], slices)


def evaluated(**changes: np.ndarray) -> EvaluationReport:
    """The report of the sample with some of its arrays replaced."""
    probabilities, labels, patients = sample()
    given = {"probabilities": probabilities, "labels": labels, "patients": patients, **changes}
    return evaluate_scores(**given, thresholds=HALF, replicates=200)


def perfect() -> EvaluationReport:
    """The report of a predictor that is always right."""
    return evaluated(probabilities=0.05 + 0.9 * sample()[1])


def test_report_counts_what_it_was_given() -> None:
    """Slices, patients and positives are those of the input."""
    report = evaluated()
    positives = [row.positives for row in report.at_half.rows[:6]]
    assert (report.slices, report.patients, report.level) == (180, 30, "slice")
    assert positives == sample()[1].sum(axis=0).tolist()


def test_figures_of_one_label_by_hand() -> None:
    """Two patients, four slices, calls + + - -, truth + - - +: every rate is one half."""
    probabilities, labels = np.full((4, 6), 0.1), np.zeros((4, 6), dtype=int)
    probabilities[:, 4], labels[:, 4] = [0.9, 0.8, 0.2, 0.1], [1, 0, 0, 1]
    report = evaluate_scores(probabilities, labels, ["a", "a", "b", "b"], HALF, replicates=20)
    figures = report.at_half.row("subdural").figures
    assert {name: figure.value for name, figure in figures.items()} == dict.fromkeys(figures, 0.5)
    # Pairs (0.9 > 0.8), (0.9 > 0.2), (0.1 < 0.8), (0.1 < 0.2): two of four in order.
    assert report.discrimination.row("subdural").figures["auroc"].value == 0.5


def test_operating_thresholds_apply_to_their_table_only() -> None:
    """At threshold 0 everything is called; the table at 0.5 stays as it was."""
    probabilities, labels, patients = sample()
    zero = evaluate_scores(probabilities, labels, patients, (0.0,) * 6, replicates=20)
    called = zero.at_thresholds.row("epidural")
    assert (called.threshold, called.figures["sensitivity"].value) == (0.0, 1.0)
    assert called.figures["specificity"].value == 0.0
    assert zero.at_half.row("any").figures["specificity"].value == pytest.approx(
        evaluated().at_half.row("any").figures["specificity"].value
    )


def test_intervals_hold_their_figures() -> None:
    """Every interval of the report surrounds its value, the ECE of a good label included."""
    rows = [row for table in evaluated().tables() for row in table.rows]
    figures = [figure for row in rows for figure in row.figures.values()]
    found = [figure for figure in figures if figure.low is not None and figure.high is not None]
    assert len(found) > 100
    assert all(figure.low <= figure.value <= figure.high for figure in found)


def test_interval_of_a_small_calibration_error_holds_it() -> None:
    """Labels drawn with their probabilities: resampling noise must not push the interval above."""
    generator = np.random.default_rng(5)
    probabilities = generator.random((3000, 6))
    labels = (generator.random((3000, 6)) < probabilities).astype(int)
    patients = np.repeat(np.arange(100), 30)
    report = evaluate_scores(probabilities, labels, patients, HALF, replicates=200)
    for label in LABELS:
        figure = report.discrimination.row(label).figures["ece"]
        assert figure.low is not None
        assert figure.high is not None
        assert 0 <= figure.low < figure.value < figure.high < 0.06


def test_ppv_follows_from_the_rates_at_the_threshold() -> None:
    """Sensitivity s and specificity t at 10 % are s * 0.1 / (s * 0.1 + (1 - t) * 0.9)."""
    probabilities, labels, patients = sample()
    report = evaluate_scores(probabilities, labels, patients, (0.45,) * 6, replicates=20)
    rates = report.at_thresholds.row("any").figures
    hits = rates["sensitivity"].value * 0.1
    alarms = hits + (1 - rates["specificity"].value) * 0.9
    found = report.ppv_at_prevalence.row("any").figures["at 10 %"].value
    assert found == pytest.approx(hits / alarms)


def test_perfect_share_gets_an_exact_interval_over_patients() -> None:
    """All right in 30 patients: sensitivity 1, Clopper-Pearson 88.4 to 100 % and not [1, 1]."""
    figure = perfect().at_half.row("any").figures["accuracy"]
    assert (figure.value, figure.method) == (1.0, "Clopper-Pearson")
    assert (figure.low, figure.high) == (pytest.approx(0.025 ** (1 / 30)), 1.0)


def test_perfect_ranking_claims_no_interval() -> None:
    """An AUROC of exactly 1 has a bootstrap without width: none is shown."""
    figure = perfect().discrimination.row("any").figures["auroc"]
    assert (figure.value, figure.low, figure.high, figure.method) == (1.0, None, None, "")


def test_absent_label_is_undefined_and_so_is_the_macro_over_it() -> None:
    """Without an epidural slice its AUROC is None, and the macro over six with it."""
    labels = sample()[1]
    labels[:, 0] = 0
    report = evaluated(labels=labels)
    assert report.discrimination.row("epidural").figures["auroc"].value is None
    assert report.discrimination.row("macro of 6").figures["auroc"].value is None
    assert report.at_half.row("micro of 6").figures["sensitivity"].value is not None


def test_macro_of_subtypes_leaves_any_out() -> None:
    """The second macro is the mean of the first five rows."""
    table = evaluated().discrimination
    values = [table.row(label).figures["auroc"].value for label in LABELS]
    macro = table.row("macro of 5 subtypes").figures["auroc"].value
    assert macro == pytest.approx(np.mean(values[:5]))
    assert table.row("macro of 6").figures["auroc"].value == pytest.approx(np.mean(values))


def test_inconsistent_any_is_reported_and_not_forced() -> None:
    """Two of four slices with p(any) below a subtype give a share of one half."""
    probabilities = np.full((4, 6), 0.5)
    probabilities[:2, 1] = 0.6
    labels = np.zeros((4, 6), dtype=int)
    report = evaluate_scores(probabilities, labels, ["a", "b", "c", "d"], HALF, replicates=20)
    assert report.any_consistent_share == 0.5


def test_same_seed_same_report() -> None:
    """The report is reproducible from its inputs."""
    assert evaluated() == evaluated()


def test_a_better_model_is_clearly_above_a_blind_one() -> None:
    """Against random scores the whole interval of the difference is above zero."""
    probabilities, labels, patients = sample()
    blind = np.random.default_rng(9).random(probabilities.shape)
    table = compare_auroc(probabilities, blind, labels, patients, replicates=200)
    figures = table.row("any").figures
    parts = [figures[name].value for name in ("auroc", "baseline_auroc", "difference")]
    assert parts[2] == pytest.approx(parts[0] - parts[1])
    assert clearly_above(table)["any"]
    worse = compare_auroc(blind, probabilities, labels, patients, replicates=200)
    assert not any(clearly_above(worse).values())


def test_the_comparison_is_paired() -> None:
    """A model against itself differs by exactly nothing in every replicate."""
    probabilities, labels, patients = sample()
    table = compare_auroc(probabilities, probabilities, labels, patients, replicates=50)
    figure = table.row("subdural").figures["difference"]
    assert (figure.value, figure.low) == (0.0, None)
    assert not clearly_above(table)["subdural"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"probabilities": sample()[0] * 9 - 4}, "0..1", id="logits"),
        pytest.param({"probabilities": np.full((180, 6), np.nan)}, "0..1", id="nan"),
        pytest.param({"probabilities": np.zeros((180, 5))}, "6", id="five-labels"),
        pytest.param({"labels": sample()[1][:-1]}, "row", id="label-missing"),
        pytest.param({"labels": sample()[1] * 2}, "0 or 1", id="label-of-two"),
        pytest.param({"patients": sample()[2][:-1]}, "row", id="patient-missing"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, np.ndarray], message: str) -> None:
    """One field of a valid input is varied; each is an error."""
    with pytest.raises(ValueError, match=message):
        evaluated(**changes)


def test_five_thresholds_are_refused() -> None:
    """Every label needs its threshold."""
    with pytest.raises(ValueError, match="threshold"):
        evaluate_scores(*sample(), thresholds=(0.5,) * 5)


def test_a_full_test_split_takes_seconds() -> None:
    """8,000 slices, six labels, 2,000 replicates: well under half a minute of CPU time."""
    started = time.process_time()
    report = evaluate_scores(*sample(patients=250, slices=32), thresholds=HALF)
    assert report.replicates == 2000
    assert time.process_time() - started < 30


def test_figures_at_another_prevalence() -> None:
    """At 10 %, PPV follows from the rates, the losses from weighed slices; AUROC stays."""
    probabilities, labels, patients = sample()
    share = (0.1,) * 6
    plain = evaluated()
    found = evaluate_scores(probabilities, labels, patients, HALF, prevalence=share, replicates=200)
    rates = found.at_half.row("any").figures
    same = plain.at_half.row("any").figures["sensitivity"]
    assert rates["sensitivity"].value == pytest.approx(same.value)
    assert rates["sensitivity"].low == pytest.approx(same.low)
    expected = found.ppv_at_prevalence.row("any").figures["at 10 %"].value
    assert rates["precision"].value == pytest.approx(expected)
    weights = np.where(labels[:, 5] > 0, 0.1 / labels[:, 5].sum(), 0.9 / (1 - labels[:, 5]).sum())
    scores = found.discrimination.row("any").figures
    assert scores["auroc"] == plain.discrimination.row("any").figures["auroc"]
    for name, measure in (("log_loss", log_loss), ("average_precision", average_precision_score)):
        known = measure(labels[:, 5], probabilities[:, 5], sample_weight=weights)
        assert scores[name].value == pytest.approx(known)
        assert scores[name].low < known < scores[name].high
    assert found.assumed_prevalence == share
    assert plain.assumed_prevalence == (None,) * 6


def test_half_positive_table_is_for_shifted_probabilities() -> None:
    """A table more at the prevalence of the papers' subset: p of `any` assumes one half there."""
    probabilities, labels, patients = sample()
    found = evaluate_scores(
        probabilities, labels, patients, HALF, prevalence=(0.1,) * 6, replicates=20
    )
    table = next(table for table in found.further if "half" in table.title)
    # Odds at 10 % are a ninth of those at 50 %: p >= 0.5 after the shift is p >= 0.1 before.
    called = probabilities[:, 5] >= 0.1
    expected = (called & (labels[:, 5] > 0)).sum() / labels[:, 5].sum()
    assert table.row("any").figures["sensitivity"].value == pytest.approx(expected)
    assert not any("half" in table.title for table in evaluated().further)


def test_report_holds_a_reliability_curve_and_a_slope_per_label() -> None:
    """Six curves, six rows."""
    report = evaluated()
    assert [curve.label for curve in report.curves] == list(LABELS)
    assert {curve.kind for curve in report.curves} == {"reliability"}
    (slopes,) = (table for table in report.further if table.title.startswith("Calibration"))
    assert [row.name for row in slopes.rows] == list(LABELS)
