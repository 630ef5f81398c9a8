"""Truth: columns of the generator in the order of the slices asked for."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from model_build.synthetic.series import truth_columns
from model_build.truth import read_truth
from service.types import LABELS


def write(path: Path, *rows: dict[str, str]) -> Path:
    """A truth.csv with the generator's own header; what is not given is 0."""
    columns = truth_columns()
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        for row in rows:
            writer.writerow({name: row.get(name, "0") for name in columns})
    return path


def test_columns_follow_the_names(tmp_path: Path) -> None:
    """Volumes and contrasts per label, `any` the sum and the largest; level within the series."""
    path = write(
        tmp_path / "truth.csv",
        {"id": "ID_a", "series": "1", "slice": "0", "kvp": "120"},
        {"id": "ID_b", "series": "1", "slice": "4", "kvp": "100", "epidural_ml": "2.5"}
        | {"subdural_ml": "1.5", "epidural_cnr": "3", "subdural_cnr": "7", "age": "61"},
        {"id": "ID_c", "series": "1", "slice": "8", "subdural_cnr": ""},
    )
    truth = read_truth(path, ["ID_b", "ID_a"])
    assert truth.volume_ml.tolist() == [[2.5, 0, 0, 0, 1.5, 4.0], [0.0] * 6]
    assert truth.cnr[0].tolist() == [3, 0, 0, 0, 7, 7]
    assert truth.factors["kvp"].tolist() == ["100", "120"]
    assert truth.factors["slice_level"].tolist() == ["0.500", "0.000"]
    assert not set(LABELS) & set(truth.factors)
    assert {"noise_hu", "thickness_mm", "tilt_deg", "kernel", "age"} <= set(truth.factors)


def test_what_is_missing_is_an_error(tmp_path: Path) -> None:
    """A slice or a column that is not there."""
    path = write(tmp_path / "truth.csv", {"id": "ID_a"})
    with pytest.raises(ValueError, match="lacks"):
        read_truth(path, ["ID_z"])
    path.write_text("id,series,slice\nID_a,1,0\n", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks"):
        read_truth(path, ["ID_a"])
