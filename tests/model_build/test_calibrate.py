"""Calibrate: recovers a known distortion, stays calm on rare labels, cuts between scores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from model_build import calibrate
from model_build.metrics import cross_entropies, expected_calibration_error
from model_build.prevalence import NATURAL
from service.artifact import calibrated


def honest_sample(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 1) that are right: labels drawn with exactly their probabilities."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-1.0, 2.0, size=(count, 1))
    return logits, (generator.random((count, 1)) < expit(logits)).astype(int)


def test_calibrated_is_the_formula_of_the_manifest() -> None:
    """Sigmoid(logit / temperature + bias): logit 4, temperature 2, bias -2 is one half."""
    found = calibrated(np.array([[4.0, 4.0]]), (2.0, 1.0), (-2.0, -4.0))
    assert found.tolist() == [[0.5, 0.5]]


def test_a_known_distortion_is_undone() -> None:
    """Logits sharpened three times and shifted by 1.5 are brought back: T = 3, bias = -0.5."""
    logits, labels = honest_sample(20_000)
    (temperature,), (bias,) = calibrate.fit_calibration(3.0 * logits + 1.5, labels)
    assert temperature == pytest.approx(3.0, rel=0.05)
    assert bias == pytest.approx(-0.5, abs=0.05)


def test_calibration_lowers_the_loss_of_overconfident_logits() -> None:
    """After the fit the log loss is that of the honest logits, to a thousandth."""
    logits, labels = honest_sample(5_000)
    loud = 4.0 * logits
    fitted = calibrated(loud, *calibrate.fit_calibration(loud, labels))
    losses = [cross_entropies(p, labels).mean() for p in (expit(loud), fitted, expit(logits))]
    assert losses[1] < losses[0] - 0.05
    assert losses[1] == pytest.approx(losses[2], abs=1e-3)


def test_labels_are_fitted_apart() -> None:
    """Two labels with different distortions get their own pair."""
    logits, labels = honest_sample(5_000)
    both, truth = np.hstack([logits, 2.0 * logits]), np.hstack([labels, labels])
    temperatures, biases = calibrate.fit_calibration(both, truth)
    assert temperatures[1] / temperatures[0] == pytest.approx(2.0, rel=0.02)
    assert biases[1] == pytest.approx(biases[0], abs=0.02)


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_is_left_alone(value: int) -> None:
    """Nothing can be learned of a label that never varies: temperature 1, bias 0."""
    logits, labels = honest_sample(50)
    found = calibrate.fit_calibration(logits, np.full_like(labels, value))
    assert found == ((1.0,), (0.0,))


def test_a_single_separated_positive_does_not_run_off() -> None:
    """One positive above all negatives would pull the temperature to zero without the prior."""
    logits = np.linspace(-4, 2, 200)[:, None]
    labels = np.zeros((200, 1), dtype=int)
    labels[-1] = 1
    (temperature,), (bias,) = calibrate.fit_calibration(logits, labels)
    assert 0.2 < temperature < 2.0
    assert abs(bias) < 6.0


def test_logits_without_sense_are_refused() -> None:
    """Unequal shapes, no slices and infinities are errors."""
    logits, labels = honest_sample(10)
    with pytest.raises(ValueError, match="shape"):
        calibrate.fit_calibration(logits, labels[:5])
    with pytest.raises(ValueError, match="N > 0"):
        calibrate.fit_calibration(logits[:0], labels[:0])
    with pytest.raises(ValueError, match="finite"):
        calibrate.fit_calibration(np.where(logits > 0, np.inf, logits), labels)


def test_threshold_lies_between_the_classes() -> None:
    """Separated scores are cut half way between the highest negative and the lowest positive."""
    scores = np.array([0.1, 0.3, 0.7, 0.9])[:, None]
    labels = np.array([0, 0, 1, 1])[:, None]
    assert calibrate.choose_thresholds(scores, labels) == (pytest.approx(0.5),)


def test_threshold_maximises_youden() -> None:
    """Calling 0.4 and above: sensitivity 1, false alarms 1/4; every other cut gains less."""
    scores = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.5])[:, None]
    labels = np.array([0, 0, 0, 0, 1, 1])[:, None]
    assert calibrate.choose_thresholds(scores, labels) == (pytest.approx(0.35),)


def test_of_equal_cuts_the_more_sensitive_is_taken() -> None:
    """Negative, positive, negative, positive: the cuts at 0.2 and 0.6 both gain one half."""
    scores = np.array([0.1, 0.3, 0.5, 0.7])[:, None]
    labels = np.array([0, 1, 0, 1])[:, None]
    assert calibrate.choose_thresholds(scores, labels) == (pytest.approx(0.2),)


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        pytest.param([0.1, 0.2, 0.9], [0, 0, 0], id="no-positive"),
        pytest.param([0.4, 0.4, 0.4], [0, 1, 0], id="all-tied"),
        pytest.param([0.9, 0.8, 0.1], [0, 0, 1], id="upside-down"),
    ],
)
def test_nothing_to_choose_from_is_one_half(scores: list[float], labels: list[int]) -> None:
    """Where the scores separate nothing the threshold is neutral."""
    found = calibrate.choose_thresholds(np.array(scores)[:, None], np.array(labels)[:, None])
    assert found == (0.5,)


def test_bias_is_shifted_to_the_natural_prevalence() -> None:
    """Half positive to one tenth: odds fall nine times; one class keeps its bias, assumes None."""
    labels = np.array([[1, 0], [0, 0]])
    biases, assumed = calibrate.at_natural_prevalence((0.5, 0.5), labels, (0.1, 0.1))
    assert biases == (pytest.approx(0.5 - np.log(9)), 0.5)
    assert assumed == (0.1, None)


def test_natural_probabilities_are_right_among_slices_at_natural_prevalence() -> None:
    """Calibrated on an enriched validation set, p fits a population that bleeds more rarely."""
    generator = np.random.default_rng(2)
    share = NATURAL[-1]

    def sampled(count: int, positive: float) -> tuple[np.ndarray, np.ndarray]:
        labels = (generator.random((count, 1)) < positive).astype(int)
        return 1.5 * generator.normal(2.0 * labels - 1.0, 1.0), labels

    logits, labels = sampled(20_000, 0.4)
    temperatures, fitted = calibrate.fit_calibration(logits, labels)
    biases, _ = calibrate.at_natural_prevalence(fitted, labels, (share,))
    fresh, truth = sampled(20_000, share)
    errors = [
        expected_calibration_error(calibrated(fresh, temperatures, each)[:, 0], truth[:, 0])
        for each in (biases, fitted)
    ]
    assert errors[0] < 0.01 < 0.05 < errors[1]
