"""Tests of the published figures: what the sources say of themselves must hold in our copy."""

from __future__ import annotations

import dataclasses
from statistics import fmean

import pytest

from model_build import anchors, published
from service.types import LABELS


def test_the_file_counts_of_the_paper_agree_with_each_other() -> None:
    """Tables 1 to 3 describe one set: sums of labels, of subtypes and of all files fit."""
    counts, several = published.FILES_PER_LABEL, published.FILES_BY_SUBTYPES
    assert sum(several.values()) == counts["any"] == 107_826
    labels = sum(count for label, count in counts.items() if label != "any")
    assert sum(number * files for number, files in several.items()) == labels
    total = counts["any"] + published.NEGATIVE_FILES
    assert total == published.KAGGLE_FILES - published.FILES_LEFT_OUT == 752_534
    assert sum(published.SPLIT_SLICES.values()) == 87_543


def test_the_means_of_the_tables_are_those_of_the_specification() -> None:
    """Mean AUC 94.42 over six labels, 94.36 over five; mean F1 of the Conv-LSTM
    94.465, printed as 94.47.
    """
    subtypes = [value for label, value in published.AUROC.items() if label != "any"]
    assert fmean(published.AUROC.values()) == pytest.approx(94.42, abs=0.005)
    assert fmean(subtypes) == pytest.approx(94.36, abs=0.005)
    assert fmean(published.CONV_LSTM.f1.values()) == pytest.approx(94.465)


def test_some_of_the_paper_is_our_any() -> None:
    """The paper prints `some` first; the figure must stand at the last of our labels."""
    assert published.AUROC["any"] == 94.74
    assert published.AUROC["epidural"] == 93.11
    assert all(tuple(system.f1) == LABELS for system in published.SYSTEMS)


def test_a_claimed_figure_cannot_be_changed() -> None:
    """Claims are frozen values."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        published.CONV_LSTM.rates.accuracy = 99.9  # type: ignore[misc]


def test_hearsay_is_marked() -> None:
    """What the specification calls unverified is marked so, and only that."""
    everything = (*anchors.RESEARCH, *anchors.DEVICES)
    marked = {anchor.system for anchor in everything if anchor.unverified}
    assert marked == {
        "Segmentation: nnU-Net, DeepBleed",
        "Aidoc K180647",
        "Viz K193658",
        "qER K200921",
    }
