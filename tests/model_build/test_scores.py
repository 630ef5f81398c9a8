"""Scores: written and read back whole, refused when the arrays do not fit."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from model_build.scores import SCORES_FILE, Scores, read_scores, write_scores


def scores(count: int = 3) -> Scores:
    """A split with distinct values everywhere."""
    table = np.arange(count * 6).reshape(count, 6)
    return Scores(
        names=np.array([f"ID_{k}" for k in range(count)]),
        patients=np.array([f"p{k}" for k in range(count)]),
        series=np.array([f"s{k}" for k in range(count)]),
        labels=(table % 2).astype(np.uint8),
        logits=table.astype(np.float32),
        probabilities=table / 100,
    )


def test_both_splits_are_read_back(tmp_path: Path) -> None:
    """Every array of test and validation comes back with its type."""
    write_scores(tmp_path, scores(3), scores(5))
    for found, given in zip(read_scores(tmp_path), (scores(3), scores(5)), strict=True):
        assert len(found) == len(given)
        for field in fields(Scores):
            array = getattr(found, field.name)
            np.testing.assert_array_equal(array, getattr(given, field.name))
            assert array.dtype == getattr(given, field.name).dtype


def test_the_file_has_the_names_of_its_contract(tmp_path: Path) -> None:
    """Six arrays and the same with `val_`."""
    with np.load(write_scores(tmp_path, scores(), scores())) as data:
        names = ["names", "patients", "series", "labels", "logits", "probabilities"]
        assert sorted(data.files) == sorted(names + [f"val_{name}" for name in names])


def test_arrays_that_do_not_fit_are_refused() -> None:
    """A patient too few, a column too few."""
    with pytest.raises(ValueError, match="per slice"):
        replace(scores(), patients=np.array(["p"]))
    with pytest.raises(ValueError, match="six"):
        replace(scores(), logits=np.zeros((3, 5), np.float32))


def test_a_file_without_an_array_is_refused(tmp_path: Path) -> None:
    """An older or foreign file is no half answer."""
    np.savez(tmp_path / SCORES_FILE, names=np.array(["a"]))
    with pytest.raises(ValueError, match=r"scores\.npz"):
        read_scores(tmp_path)
