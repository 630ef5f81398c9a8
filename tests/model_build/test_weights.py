"""Sample weights by hand, and at the natural prevalence of the RSNA data."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.weights import sample_weights


def rows(*positives: tuple[int, ...]) -> np.ndarray:
    """Label rows with ones at the given columns."""
    labels = np.zeros((len(positives), 6), dtype=np.uint8)
    for row, columns in enumerate(positives):
        labels[row, list(columns)] = 1
    return labels


def test_the_rarest_finding_of_a_slice_decides() -> None:
    """One epidural of five is sqrt(4) = 2, `any` of two of five is sqrt(1.5); negatives are 1."""
    labels = rows((0, 5), (4, 5), (), (), ())
    raw = np.array([2.0, 2.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(sample_weights(labels, labels), raw / raw.mean(), rtol=1e-6)


def test_the_cap_holds() -> None:
    """sqrt(399) is 20, capped at 10."""
    labels = rows((0, 5), *[() for _ in range(399)])
    weights = sample_weights(labels, labels, cap=10.0)
    assert weights[0] / weights[1] == pytest.approx(10.0)


def test_weights_are_of_the_epoch_not_of_the_slices_weighed() -> None:
    """The counts come from the epoch, and the mean over the epoch is 1."""
    epoch = rows((4, 5), ())
    weights = sample_weights(rows((4, 5), (4, 5), ()), epoch)
    np.testing.assert_allclose(weights, 1.0)


def test_a_label_without_a_positive_slice_does_no_harm() -> None:
    """No division by zero, no weight that is not finite."""
    labels = rows((), ())
    assert sample_weights(labels, labels).tolist() == [1.0, 1.0]
