"""Tests of the image checks: shortcuts raise their alarm, and their absence does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_build.baseline import FEATURES
from model_build.synthetic.check_images import (
    Seen,
    check_images,
    look,
    probe_scores,
    thumbnail,
)
from model_build.synthetic.dicom_writer import build_dataset, to_bytes
from model_build.synthetic.measure import Measure
from model_build.synthetic.truth import Truth
from tests.model_build.synthetic.drawn_truth import drawn_truth
from tests.model_build.synthetic.valid_slice import image, valid_header

_COUNT = 200


def _truth() -> Truth:
    """Every second slice is positive, ten patients of twenty slices."""
    truth = drawn_truth(series=10, slices=20)
    truth.labels[::2, [1, 5]] = 1
    return truth


def _seen(**change: object) -> Seen:
    """Nothing to be learnt: noise for areas and thumbnails."""
    rng = np.random.default_rng(0)
    seen = Seen(
        features=rng.random((_COUNT, len(FEATURES))),
        thumbnails=rng.random((_COUNT, 64)),
        hashes=tuple(map(str, range(_COUNT))),
        codes=Counter(),
        refused=0,
        noise_hu=(4.0, 4.2),
        rises_hu=(7.0, 9.0),
    )
    return replace(seen, **change)  # type: ignore[arg-type]


def _checked(seen: Seen, truth: Truth | None = None) -> dict[str, Measure]:
    rows = np.arange(_COUNT)
    return {m.name: m for m in check_images(truth or _truth(), rows, seen)}


def test_a_set_without_shortcuts_passes() -> None:
    """Chance level of both detectors, noise in range, nothing refused, nothing twice."""
    found = _checked(_seen())
    assert all(measure.passed is not False for measure in found.values())
    assert found["threshold detector AUROC any"].passed
    assert found["thumbnail probe AUROC any"].passed


def test_textbook_blood_is_found_by_the_threshold() -> None:
    """Areas over 50 HU that follow the label exceed the limit."""
    features = np.zeros((_COUNT, len(FEATURES)))
    features[::2] = 5.0
    found = _checked(_seen(features=features))
    assert found["threshold detector AUROC any"].value == 1.0
    assert found["threshold detector AUROC any"].passed is False


def test_a_bright_corner_is_found_by_the_probe() -> None:
    """One thumbnail pixel that follows the label raises the shortcut alarm."""
    thumbnails = np.random.default_rng(1).random((_COUNT, 64))
    thumbnails[::2, 9] += 0.8
    assert _checked(_seen(thumbnails=thumbnails))["thumbnail probe AUROC any"].passed is False


def test_the_probe_never_sees_its_own_patient() -> None:
    """A pixel that only tells the patients apart is worth nothing."""
    truth = drawn_truth(series=10, slices=20)
    truth.labels[:100, 5] = 1
    patients = np.array(truth.patients)
    marks = np.zeros((_COUNT, 64))
    marks[np.arange(_COUNT), np.arange(_COUNT) // 20] = 1.0
    scores = probe_scores(marks, truth.labels, patients)
    assert scores is not None
    assert scores[:100, 5].mean() < scores[100:, 5].mean() + 0.5
    assert probe_scores(marks[:40], truth.labels[:40], patients[:40]) is None


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"noise_hu": (1.0,)}, "noise SD in brain, from twins"),
        ({"noise_hu": (9.0,)}, "noise SD in brain, from twins"),
        ({"refused": 1}, "slices refused by the gate"),
        ({"hashes": ("a",) * _COUNT}, "slices with the pixels of another"),
        ({"codes": Counter({"kernel": 80})}, "share of slices with kernel"),
    ],
)
def test_each_limit_of_quality_can_be_missed(change: dict[str, object], name: str) -> None:
    """Too quiet, too loud, refused, doubled, or too often remarked by the gate."""
    assert _checked(_seen(**change))[name].passed is False


def test_subvisible_slices_do_not_count() -> None:
    """Blood below the label rule is neither class for a detector."""
    features = np.zeros((_COUNT, len(FEATURES)))
    features[1::4] = 5.0  # bright where the label is 0, but there is blood
    truth = replace(_truth(), subvisible=np.arange(_COUNT) % 4 == 1)
    area = _checked(_seen(features=features), truth)["threshold detector AUROC any"].value
    assert area == 0.5


def test_thumbnail_is_the_mean_of_the_brain_window() -> None:
    """40 HU is one half, bone is one, air is zero."""
    hu = np.full((512, 512), 40, np.int16)
    hu[:64, :64], hu[:64, 64:128] = 1000, -1000
    assert thumbnail(hu)[:3] == pytest.approx([1.0, 0.0, 0.5])


def test_a_pass_over_files_keeps_what_the_checks_need(tmp_path: Path) -> None:
    """Two twins of 4 HU of noise, a doubled slice and a refused file."""
    (tmp_path / "dicom").mkdir()
    truth = drawn_truth(series=4, slices=1)
    truth = replace(truth, twins=(truth.names[1], truth.names[0], "", ""))
    for name, seed in zip(truth.names, (0, 1, 1, 3), strict=True):
        dataset = build_dataset(valid_header(), 0, image(seed))
        if seed == 3:
            dataset.Modality = "MR"
        (tmp_path / "dicom" / f"{name}.dcm").write_bytes(to_bytes(dataset))
    seen = look(tmp_path, truth, np.arange(4), progress=False)
    assert seen.features.shape == (4, len(FEATURES))
    assert seen.thumbnails.shape == (4, 64)
    assert len(set(seen.hashes)) == 3
    assert (seen.refused, seen.codes) == (1, Counter({"modality": 1}))
    assert seen.noise_hu == pytest.approx([4.0], abs=0.3)


@pytest.mark.parametrize("rises_hu", [(0.5, 1.0), (20.0, 24.0)])
def test_heads_as_even_as_a_drawing_fail(rises_hu: tuple[float, ...]) -> None:
    """Brain that is no brighter under the skull, or far too bright there, is no scan."""
    found = _checked(_seen(rises_hu=rises_hu))
    assert found["rise of brain towards the skull"].passed is False
