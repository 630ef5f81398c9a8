"""Tests of the inconsistencies 12 to 14 and of the whole list."""

from __future__ import annotations

import pytest

from model_build import companion_inconsistencies as companions


def test_corrected_figures_of_the_twenty_images() -> None:
    """Table 2 by its own counts: 86.96, 100, 78.26; accuracy 95.0; the swapped error 90.91."""
    expected = {
        "epoch 4 f1": 86.96,
        "epoch 12 f1": 100.0,
        "epoch 20 f1": 78.26,
        "accuracy_24": 95.0,
        "precision_of_counts": 100.0,
        "precision_printed": 90.91,
        "f1_printed": 95.24,
        "sharath_sensitivity": 90.0,
    }
    assert companions.opposite_errors().figures == pytest.approx(expected, abs=0.005)


def test_intervals_of_so_few_images() -> None:
    """Clopper-Pearson: 83.2-100, 69.2-100 and 75.1-99.9 %."""
    expected = {
        "20/20 low": 83.2,
        "20/20 high": 100.0,
        "10/10 low": 69.2,
        "10/10 high": 100.0,
        "19/20 low": 75.1,
        "19/20 high": 99.9,
    }
    assert companions.twenty_images().figures == pytest.approx(expected, abs=0.05)


def test_chance_level() -> None:
    """Always negative is 85.67 % accurate; .95/.95 with 91 % implies nine positives in ten."""
    found = companions.chance_level()
    assert found.figures["always_negative"] == pytest.approx(85.67, abs=0.005)
    assert found.figures["implied_positives"] == pytest.approx(90.0)
    assert "762,131" in found.statement


def test_implied_share_by_hand() -> None:
    """TP 9, FP 1, FN 1, TN 9: precision and recall 90 %, accuracy 90 %, half positives."""
    assert companions.implied_share(90, 90, 90) == pytest.approx(0.5)


def test_all_fourteen_are_listed() -> None:
    """The list is complete, in order, and no sentence comes twice."""
    found = companions.everything()
    assert len(found) == len({item.statement for item in found}) == 14
    assert all(item.figures for item in found)
