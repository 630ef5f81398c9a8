"""Finish: a trained network becomes a model folder whose report has every table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model_build import abstention, guards, outliers, wrong_window
from model_build.finish import GOLDEN_SLICES, finish
from model_build.report.run_folder import TRAINING_FILE
from service.artifact import verify_folder
from service.model.cnn_128 import Cnn128
from tests.model_build.phantom_set import RECIPE, slice_set


def test_the_report_of_any_network_says_when_to_doubt_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Abstention, the gate and the wrong window, in evaluation.json, markdown and manifest."""
    monkeypatch.setattr(guards, "OUTLIERS_PER_KIND", 1)
    torch.manual_seed(0)
    (tmp_path / TRAINING_FILE).write_text("{}", encoding="utf-8")
    parts = {"train": np.arange(8), "val": np.arange(8, 16), "test": np.arange(16, 24)}
    recipe = replace(RECIPE, network="cnn_128")
    small = slice_set(24)
    source = replace(small, voxels=small.voxels.repeat(2, axis=1).repeat(2, axis=2))
    finish(recipe, source, parts, Cnn128().eval(), tmp_path)
    kept = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    titles = [table["title"] for table in kept["further"]]
    text = (tmp_path / "evaluation.md").read_text(encoding="utf-8")
    for begin in (abstention.TITLE, outliers.TITLE, wrong_window.TITLE, "Series level by DeLong"):
        assert any(title.startswith(begin) for title in titles)
        assert begin in text
    manifest = verify_folder(tmp_path / "model")
    stored = manifest.evaluation["test"]
    assert manifest.precisions["torch-bf16"]["slices"] == 8 + GOLDEN_SLICES
    assert [table["title"] for table in stored["further"]] == titles
    assert not (tmp_path / "ablations.json").exists()
