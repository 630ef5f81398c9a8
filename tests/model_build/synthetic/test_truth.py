"""Tests of truth.csv as arrays."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from model_build.synthetic.series import truth_columns
from model_build.synthetic.truth import read_truth


def _write(folder: Path, columns: list[str], **change: str) -> None:
    values = {name: "0" for name in columns} | {"id": "ID_1", "phantom_seed": "ab", "twin": ""}
    values |= {"thickness_mm": "5.0", "pixel_mm": "0.4", "tilt_deg": "60"} | change
    with (folder / "truth.csv").open("w", newline="", encoding="ascii") as file:
        csv.writer(file).writerows([columns, [values[name] for name in columns]])


def test_columns_come_back_by_name(tmp_path: Path) -> None:
    """Values are where their names say, an empty mean is NaN, a voxel knows the tilt."""
    columns = [*truth_columns(), "twin"]
    change = {"subdural": "1", "any": "1", "subdural_ml": "7.5", "subdural_mean_hu": "51.0"}
    _write(tmp_path, columns, **change, epidural_mean_hu="", lesions="1", slice="3", twin="ID_2")
    truth = read_truth(tmp_path)
    assert len(truth) == 1
    assert (truth.names, truth.patients, truth.twins) == (("ID_1",), ("ab",), ("ID_2",))
    assert truth.labels.tolist() == [[0, 0, 0, 0, 1, 1]]
    assert truth.labels.dtype == np.uint8
    assert truth.volumes_ml[0, 4] == 7.5
    assert truth.mean_hu[0, 4] == 51.0
    assert np.isnan(truth.mean_hu[0, 0])
    assert truth.bleeding.tolist() == [True]
    assert truth.planes.tolist() == [3]
    assert truth.voxel_ml[0] == pytest.approx(0.4 * 0.4 * 5.0 * 0.5 / 1000.0)


def test_another_recipe_and_no_set_are_errors(tmp_path: Path) -> None:
    """A folder without truth, and a truth without twins, are named."""
    with pytest.raises(FileNotFoundError, match=r"truth\.csv"):
        read_truth(tmp_path)
    _write(tmp_path, truth_columns())
    with pytest.raises(ValueError, match="earlier recipe"):
        read_truth(tmp_path)
