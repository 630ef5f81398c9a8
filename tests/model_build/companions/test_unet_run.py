"""U-Net run: patients apart, every slice scored once, claims beside measures and never mixed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model_build.companions.unet_run import any_probabilities, folds, run_unet
from model_build.companions.unet_training import UnetSettings
from service.types import LABELS
from tests.model_build.companions.blobs import SIZE, blobs

CPU = torch.device("cpu")
SETTINGS = UnetSettings(size=SIZE, base=2, epochs=2, batch=8, learning_rate=1e-2, folds=3, seed=1)


def test_folds_share_no_patient_and_test_everyone_once() -> None:
    """Five folds: train, val and test are disjoint in patients, and all tests make the set."""
    data = blobs(patients=11)
    found = folds(data, 5, 0)
    tested = np.concatenate([fold.test for fold in found])
    assert sorted(tested) == list(range(len(data)))
    for fold in found:
        parts = [{data.patients[row] for row in rows} for rows in (fold.train, fold.val, fold.test)]
        assert len(set.union(*parts)) == sum(map(len, parts))
        assert len(fold.train) + len(fold.val) + len(fold.test) == len(data)
        assert all(data.masks[rows].any() for rows in (fold.train, fold.val, fold.test))


def test_folds_do_not_depend_on_the_order_of_the_slices() -> None:
    """Reversed input, same home of each patient; another seed, another deal."""

    def homes(data_seed: int, flipped: bool) -> dict[str, int]:
        data = blobs(patients=11)
        if flipped:
            data = replace(data, patients=data.patients[::-1], masks=data.masks[::-1])
        return {
            data.patients[row]: fold.number
            for fold in folds(data, 5, data_seed)
            for row in fold.test
        }

    assert homes(0, False) == homes(0, True)
    assert homes(0, False) != homes(1, False)


def test_too_few_patients_with_blood_are_refused() -> None:
    """Four such patients do not fill five folds; two folds leave nothing to train on."""
    with pytest.raises(ValueError, match="patient with blood"):
        folds(blobs(patients=4), 5, 0)
    with pytest.raises(ValueError, match="at least three"):
        folds(blobs(), 2, 0)


def test_a_run_writes_its_result_and_scores(tmp_path: Path) -> None:
    """Measured and claimed stand apart, every slice has a score, and the files agree."""
    data = blobs()
    result = run_unet(
        data, SETTINGS, tmp_path, CPU, data_note="Squares.", progress=False, replicates=20
    )
    written = (tmp_path / "result.json").read_text()
    assert json.loads(written) == json.loads(json.dumps(result))
    assert "not a medical device" in result["notice"]
    assert result["data_note"] == "Squares."
    rows = {row["name"]: row["figures"] for row in result["overlap"]["rows"]}
    assert tuple(rows) == LABELS
    assert 0 <= rows["any"]["dice"]["value"] <= 1
    assert set(result["claimed_not_reproduced"]["dice"]) == set(LABELS)
    assert result["claimed_not_reproduced"]["dice"]["any"] == 0.31
    assert [len(result["folds"][name]) for name in LABELS] == [3] * 6
    assert [len(history) for history in result["histories"]] == [2, 2, 2]
    with np.load(tmp_path / "scores.npz") as scores:
        assert scores["names"].tolist() == list(data.names)
        assert sorted(np.unique(scores["fold"])) == [0, 1, 2]
        assert (scores["soft_area"] > 0).all()
        assert ((scores["any_probability"] > 0) & (scores["any_probability"] < 1)).all()
        assert np.array_equal(scores["labels"], data.labels)


def test_a_second_call_gives_the_same_result(tmp_path: Path) -> None:
    """What is trained already is opened, and training anew elsewhere gives the same figures."""
    first, again, elsewhere = (
        run_unet(
            blobs(), SETTINGS, tmp_path / name, CPU, data_note="", progress=False, replicates=20
        )
        for name in ("a", "a", "b")
    )
    assert first == again
    assert first["overlap"] == elsewhere["overlap"]


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    """The settings speak of the images."""
    with pytest.raises(ValueError, match="size"):
        run_unet(blobs(), replace(SETTINGS, size=64), tmp_path, CPU, data_note="")


def test_probabilities_rise_with_the_area_and_fit_the_known_slices() -> None:
    """Where half of the known slices of an area bleed, the probability is near one half."""
    areas = np.repeat([1e-6, 1e-4, 1e-2], 40)
    labels = np.concatenate([np.zeros(40), np.tile([0, 1], 20), np.ones(40)]).astype(np.uint8)
    found = any_probabilities(areas, labels, np.array([0.0, 1e-6, 1e-4, 1e-2]))
    assert (np.diff(found) > 0).all()
    assert found[1] < 0.1
    assert found[2] == pytest.approx(0.5, abs=0.1)
    assert found[3] > 0.9
