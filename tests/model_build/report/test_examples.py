"""Tests of the hits, misses and false alarms."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from model_build.report import examples
from model_build.report.run_folder import Run
from model_build.slice_set import SliceSet
from service.types import LABELS
from tests.factories import head_hu


def test_each_kind_is_what_it_says(runs: tuple[Run, ...]) -> None:
    """Hits were called and true, misses true and not called, false alarms without hemorrhage."""
    run = runs[1]
    chosen = examples.choose(run)
    assert {choice.kind for choice in chosen} == {"hit", "miss", "false alarm"}
    for choice in chosen:
        label = LABELS.index(choice.label)
        truth = bool(run.scores.labels[choice.row, label])
        called = run.scores.probabilities[choice.row, label] >= choice.threshold
        assert (called, truth) == {
            "hit": (True, True),
            "miss": (False, True),
            "false alarm": (True, False),
        }[choice.kind]
        if choice.kind == "false alarm":
            assert not run.scores.labels[choice.row].any()


def test_examples_show_different_patients_and_subtypes(runs: tuple[Run, ...]) -> None:
    """No patient twice; the four hits are of four subtypes."""
    chosen = examples.choose(runs[1])
    patients = [runs[1].scores.patients[choice.row] for choice in chosen]
    assert len(set(patients)) == len(patients)
    assert len({choice.label for choice in chosen if choice.kind == "hit"}) == examples.PER_KIND


def test_windows_are_those_of_the_network() -> None:
    """Bone is black in the brain window where it is white: tiles follow centre and width."""
    voxels = np.full((288, 288), 40, np.int16)
    mosaic = examples.windows_of(voxels, (40.0, 80.0))
    tile = examples.TILE
    assert mosaic.shape == (2 * tile, 5 * tile)
    grey = [mosaic[row * tile + 5, column * tile + 5] for row in range(2) for column in range(5)]
    # (40 - lower) / width of default, brain, ..., grey-white, which 40 HU saturates.
    expected = [0.5, 0.5, 0.4231, 0.3372, 0.3, 0.5571, 0.5, 0.45, 0.3, 1.0]
    assert np.array(grey) / 255 == pytest.approx(expected, abs=0.01)


def test_slices_are_found_by_their_file() -> None:
    """The decoded set gives voxels and window of the name asked for, and no other."""
    source = cast(
        SliceSet,
        SimpleNamespace(
            names=("ID_a", "ID_b"),
            voxels=np.array([[[1]], [[2]]], np.int16),
            windows=np.array([[40, 80], [50, 130]], np.float32),
        ),
    )
    voxels, window = examples.slices_of(source)("ID_b")
    assert (voxels.item(), window) == (2, (50.0, 130.0))
    with pytest.raises(KeyError):
        examples.slices_of(source)("ID_c")


def test_drawing_asks_for_the_slices_that_were_chosen(runs: tuple[Run, ...]) -> None:
    """One picture a choice, by the name in the scores; the caption tells what was true."""
    asked = []

    def voxels_of(name: str) -> tuple[np.ndarray, tuple[float, float]]:
        asked.append(name)
        return head_hu(), (40.0, 80.0)

    choices = examples.choose(runs[0], per_kind=1)
    drawn = list(examples.draw(runs[0], choices, voxels_of))
    assert asked == [runs[0].scores.names[choice.row] for choice in choices]
    assert all(one.image.startswith("data:image/png;base64,") for one in drawn)
    assert "truth: " in drawn[0].caption
