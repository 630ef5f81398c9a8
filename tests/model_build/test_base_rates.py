"""Tests of the base rates against the figures of the specification (section 4)."""

from __future__ import annotations

import pytest

from model_build import base_rates
from model_build.prevalence import NATURAL


def test_natural_prevalence() -> None:
    """Percent of the 752,534 slices, as in the specification; calibration uses the same."""
    expected = (0.418, 4.799, 3.482, 4.741, 6.254, 14.328)
    assert [100 * share for share in base_rates.natural().values()] == pytest.approx(
        expected, abs=0.0005
    )
    assert tuple(base_rates.natural().values()) == pytest.approx(NATURAL)


def test_always_answering_no_is_accurate() -> None:
    """94.33 % mean accuracy per label for nothing."""
    assert 100 * base_rates.always_negative_accuracy() == pytest.approx(94.33, abs=0.005)


def test_ppv_of_the_paper_by_prevalence() -> None:
    """35, 63, 75 and 82 % at 2, 6, 10 and 14.5 %."""
    shown = [round(100 * value) for value in base_rates.claimed_ppv().values()]
    assert shown == [35, 63, 75, 82]


def test_predictive_values_by_hand() -> None:
    """95/90 at 10 %: PPV 51.4 %, NPV 99.4 %."""
    assert 100 * base_rates.ppv(0.95, 0.90, 0.10) == pytest.approx(51.4, abs=0.05)
    assert 100 * base_rates.npv(0.95, 0.90, 0.10) == pytest.approx(99.4, abs=0.05)


def test_no_predictive_value_where_nothing_is_called() -> None:
    """Without a positive call the value is an error, not a zero."""
    with pytest.raises(ValueError, match="nothing is called"):
        base_rates.ppv(0.0, 1.0, 0.1)


def test_loss_of_the_constant_prior() -> None:
    """Cross-entropy per label and the weighted 0.2310."""
    expected = (0.0271, 0.1926, 0.1511, 0.1908, 0.2339, 0.4109)
    assert list(base_rates.prior_loss().values()) == pytest.approx(expected, abs=5e-5)
    assert base_rates.weighted_prior_loss() == pytest.approx(0.2310, abs=5e-5)
