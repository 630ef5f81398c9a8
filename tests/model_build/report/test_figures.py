"""Tests of the drawings."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np

from model_build.report import figures
from model_build.report.run_folder import Run
from service.types import LABELS


def svg(uri: str) -> str:
    """The drawing inside a data URI."""
    head, content = uri.split(",", 1)
    assert head == "data:image/svg+xml;base64"
    return base64.b64decode(content).decode()


def test_roc_names_every_label_and_network(runs: tuple[Run, ...]) -> None:
    """Text stays text: a panel per label, a legend entry per network."""
    drawing = svg(figures.roc(runs))
    for word in (*LABELS, "main", "other&lt;b&gt;"):
        assert f">{word}<" in drawing


def test_roc_without_one_class_has_no_curve(runs: tuple[Run, ...]) -> None:
    """A label that never occurs has no rates to draw."""
    labels = runs[0].scores.labels.copy()
    labels[:, 0] = 0
    lone = replace(runs[0].scores, labels=labels)
    assert figures._roc(lone, 0) is None
    assert figures._roc(lone, 1) is not None


def test_the_same_runs_give_the_same_drawing(runs: tuple[Run, ...]) -> None:
    """No date and no random ids, so that reports can be compared."""
    assert figures.training_curves(runs) == figures.training_curves(runs)


def test_calibration_that_was_not_evaluated_is_said(runs: tuple[Run, ...]) -> None:
    """An evaluation without curves gives panels that say so."""
    bare = replace(runs[0], evaluation={**runs[0].evaluation, "curves": []})
    assert svg(figures.reliability(bare)).count(">not evaluated<") == len(LABELS)


def test_lesion_curves_are_drawn_where_lesions_are_known(runs: tuple[Run, ...]) -> None:
    """A panel per kind; nothing for data that know no lesions."""
    drawing = figures.lesion_curves(runs[0])
    assert drawing is not None
    assert ">sensitivity by volume ml<" in svg(drawing)
    assert figures.lesion_curves(replace(runs[0], evaluation={})) is None


def test_thinning_keeps_both_ends() -> None:
    """Long curves lose points, never their first or last."""
    kept = figures._thinned(10_000, 150)
    assert (kept[0], kept[-1], len(kept)) == (0, 9_999, 150)
    assert list(figures._thinned(3, 150)) == [0, 1, 2]
    assert np.all(np.diff(kept) > 0)
