"""U-Net training: it learns, it resumes to the same weights, it refuses another run's folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model_build.companions import overlap
from model_build.companions.unet_training import (
    CHECKPOINT,
    Fold,
    TrainingStopped,
    UnetSettings,
    epoch_rows,
    fit,
    loss_of,
    predict,
)
from tests.model_build.companions.blobs import SIZE, blobs

CPU = torch.device("cpu")
SETTINGS = UnetSettings(size=SIZE, base=4, epochs=3, batch=4, learning_rate=1e-2, seed=3)
FOLD = Fold(0, np.arange(0, 16), np.arange(16, 20), np.arange(20, 24))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Equal arithmetic in every run."""
    torch.set_num_threads(1)


def last_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights behind the last epoch of a run."""
    weights: dict[str, torch.Tensor] = torch.load(folder / CHECKPOINT, weights_only=True)["network"]
    return weights


def test_bright_squares_are_found(tmp_path: Path) -> None:
    """Two dozen short epochs on easy slices segment those of a patient never seen."""
    data, settings = blobs(), replace(SETTINGS, epochs=24)
    network, history = fit(data, FOLD, settings, tmp_path, CPU, progress=False)
    found, areas = predict(network, data, FOLD.test, 3)
    assert float(np.nanmean(overlap.dice(found))) > 0.8
    assert history[-1]["loss"] < history[0]["loss"]
    bloody = data.masks[FOLD.test].any(axis=(1, 2))
    assert areas[bloody].min() > areas[~bloody].max()


def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    """Stopped behind the first epoch, the result is bit for bit that of a run at one go."""
    data = blobs()
    straight, rows = fit(data, FOLD, SETTINGS, tmp_path / "a", CPU, progress=False)
    with pytest.raises(TrainingStopped):
        fit(data, FOLD, SETTINGS, tmp_path / "b", CPU, progress=False, stop_after=1)
    _, again = fit(data, FOLD, SETTINGS, tmp_path / "b", CPU, progress=False)
    ours, theirs = last_weights(tmp_path / "a"), last_weights(tmp_path / "b")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert [row["val_dice"] for row in rows] == [row["val_dice"] for row in again]
    # A finished run is opened, not trained again.
    opened, _ = fit(data, FOLD, SETTINGS, tmp_path / "b", CPU, progress=False, stop_after=1)
    best = straight.state_dict()
    assert torch.equal(opened.state_dict()["head.weight"], best["head.weight"])


def test_the_best_epoch_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the second of three epochs scores best, its weights are returned."""
    data, scores = blobs(), iter([0.2, 0.9])
    monkeypatch.setattr(overlap, "dice", lambda _: np.array([next(scores)]))
    with pytest.raises(TrainingStopped):
        fit(data, FOLD, SETTINGS, tmp_path, CPU, progress=False, stop_after=2)
    second = last_weights(tmp_path)
    scores = iter([0.1])
    network, rows = fit(data, FOLD, SETTINGS, tmp_path, CPU, progress=False)
    assert [row["val_dice"] for row in rows] == [0.2, 0.9, 0.1]
    found = network.state_dict()
    assert all(torch.equal(found[name], second[name]) for name in found)
    assert not torch.equal(last_weights(tmp_path)["head.weight"], second["head.weight"])


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    """Other settings never continue from these weights."""
    data = blobs()
    with pytest.raises(TrainingStopped):
        fit(data, FOLD, SETTINGS, tmp_path, CPU, progress=False, stop_after=1)
    with pytest.raises(ValueError, match="other settings"):
        fit(data, FOLD, replace(SETTINGS, batch=2), tmp_path, CPU, progress=False)


def test_training_without_blood_is_refused(tmp_path: Path) -> None:
    """There is nothing to choose an epoch by."""
    data = blobs()
    data.masks[FOLD.val] = False
    with pytest.raises(ValueError, match="slices with blood"):
        fit(data, FOLD, SETTINGS, tmp_path, CPU, progress=False)


def test_an_epoch_has_every_slice_with_blood_and_some_of_the_others() -> None:
    """Eight positive slices and half as many negative ones, other ones in another epoch."""
    data = blobs()
    rows = epoch_rows(data, np.arange(16), 0.5, (0, 0))
    positive = data.masks[rows].any(axis=(1, 2))
    assert (int(positive.sum()), len(rows)) == (8, 12)
    assert set(rows[positive]) == set(range(0, 16, 2))
    drawn = {tuple(sorted(epoch_rows(data, np.arange(16), 0.5, (0, e)))) for e in range(5)}
    assert len(drawn) > 1


def test_the_loss_by_hand() -> None:
    """At logits 0 on four pixels, two of them blood: ln 2 + 1 - (2 + 1) / (2 + 2 + 1)."""
    masks = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    expected = 0.693147 + 1 - 3 / 5
    assert float(loss_of(torch.zeros(1, 2, 2), masks)) == pytest.approx(expected, abs=1e-5)
    assert float(loss_of(40 * (2 * masks - 1), masks)) == pytest.approx(0.0, abs=1e-5)
