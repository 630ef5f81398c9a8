"""Tests of the series defects: each slice is valid, the series shows its one fault."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from model_build.synthetic.series_defects import SERIES_DEFECTS, write_defects
from service.dicom.decode import decode_slice
from tests.model_build.synthetic.valid_slice import valid_series

_SERIES = valid_series()


def _made(name: str) -> list[pydicom.Dataset]:
    defect = next(d for d in SERIES_DEFECTS if d.name == name)
    return [pydicom.dcmread(io.BytesIO(body)) for body in defect.make(_SERIES)]


def _levels(slices: list[pydicom.Dataset]) -> list[float]:
    """Position along the normal, which is z for level slices."""
    return [float(one.ImagePositionPatient[2]) for one in slices]


@pytest.mark.parametrize("defect", SERIES_DEFECTS, ids=lambda d: d.name)
def test_every_slice_of_a_defective_series_is_valid(defect: object) -> None:
    """The gate accepts each object on its own."""
    for body in defect.make(_SERIES):  # type: ignore[attr-defined]
        assert decode_slice(body).violations == ()


def test_reversed_numbers_fall_with_the_position() -> None:
    """The lowest slice has the highest instance number; nothing else moves."""
    made = _made("reversed")
    assert [int(one.InstanceNumber) for one in made] == [6, 5, 4, 3, 2, 1]
    assert _levels(made) == sorted(_levels(made))


def test_shuffled_files_are_the_same_objects() -> None:
    """All positions are there, in another order."""
    levels = _levels(_made("shuffled"))
    assert levels != sorted(levels)
    assert len(set(levels)) == 6


def test_unnumbered_slices_keep_their_position() -> None:
    """Neither number nor location, but the position."""
    made = _made("unnumbered")
    assert not any("InstanceNumber" in one or "SliceLocation" in one for one in made)
    assert len(set(_levels(made))) == 6


@pytest.mark.parametrize(("name", "widest"), [("missing_slice", 10.0), ("big_gap", 20.0)])
def test_missing_slices_leave_a_gap(name: str, widest: float) -> None:
    """5 mm slices with one or three missing."""
    assert np.diff(_levels(_made(name))).max() == pytest.approx(widest)


def test_duplicates_share_a_position() -> None:
    """Two objects at one place: another instance in one case, the very same in the other."""
    moved, twice = _made("same_position"), _made("sent_twice")
    assert (len(moved), len(set(_levels(moved)))) == (6, 5)
    assert len({one.SOPInstanceUID for one in moved}) == 6
    assert (len(twice), len(set(_levels(twice)))) == (7, 6)
    assert len({one.SOPInstanceUID for one in twice}) == 6


def test_defects_are_written_with_what_to_expect(tmp_path: Path) -> None:
    """Each row of expected.csv is a file, or a folder of files, with its code."""
    write_defects(tmp_path, _SERIES)
    with (tmp_path / "expected.csv").open(encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    objects = [row for row in rows if row["path"].endswith(".dcm")]
    assert len(rows) - len(objects) == len(SERIES_DEFECTS)
    for row in objects[::7]:
        found = decode_slice((tmp_path / row["path"]).read_bytes()).violations
        assert {item.code for item in found} == {row["code"]}
    assert len(list((tmp_path / "series" / "missing_slice").iterdir())) == 5


def test_a_short_series_is_refused(tmp_path: Path) -> None:
    """Two slices have no middle to take out."""
    with pytest.raises(ValueError, match="at least 6"):
        write_defects(tmp_path, _SERIES[:2])
