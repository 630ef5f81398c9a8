"""Inspect: what a folder holds and what is wrong with it, without a word of its patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_build.inspect_folder import inspect_folder
from service.types import LABELS
from tests.factories import IMPLICIT, make_ct_slice

TILTED = [1, 0, 0, 0, 0.939693, -0.34202]


def write(home: Path, *slices: dict[str, Any], positive: tuple[int, ...] = ()) -> Path:
    """An RSNA folder of slices; those of `positive` are subdural."""
    (home / "dicom").mkdir()
    rows = ["ID,Label"]
    for index, fields in enumerate(slices):
        name = f"ID_{index:09x}"
        body = make_ct_slice(**{"seed": index, "PatientID": "SECRET"} | fields)
        (home / "dicom" / f"{name}.dcm").write_bytes(body)
        on = ("subdural", "any") if index in positive else ()
        rows += [f"{name}_{label},{int(label in on)}" for label in LABELS]
    (home / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return home


def test_a_folder_is_counted(tmp_path: Path) -> None:
    """Patients, series, labels, syntaxes, corrections, refusals, geometry."""
    other = {"PatientID": "SECRET2", "SeriesInstanceUID": "1.2.9", "StudyInstanceUID": "1.2.8"}
    home = write(
        tmp_path,
        {},
        {"transfer_syntax": IMPLICIT},
        {"WindowWidth": 0},
        {"seed": 4},  # one position is missing before it
        {"PixelData": bytes(100)},
        other | {"ImageOrientationPatient": TILTED},
        positive=(1, 3),
    )
    report = inspect_folder("rsna", home)
    assert (report.read, report.files, report.patients, report.series) == (6, 6, 2, 2)
    assert report.positives["subdural"] == report.positives["any"] == 2
    assert report.refused == {"pixel_length": 1}
    assert report.corrections == {"default_window_substituted": 1}
    assert report.syntaxes == {"Explicit VR Little Endian": 5, "Implicit VR Little Endian": 1}
    assert report.tilt_deg.high == pytest.approx(20, abs=0.01)
    assert report.spacing_mm.median == 0.488
    assert report.distances.millimetres.median == 5.0
    assert (report.distances.uneven, report.distances.with_gaps) == (1, 1)
    for words in ("1 slices are refused", "1 series have gaps", "no positive slice of epidural"):
        assert any(words in problem for problem in report.problems), words


def test_copies_and_mixed_series_are_found(tmp_path: Path) -> None:
    """Two patients in one series, with one image and two opinions on it, at one place."""
    home = write(tmp_path, {}, {"seed": 0, "PatientID": "SECRET2"}, {"seed": 2}, positive=(0,))
    report = inspect_folder("rsna", home)
    assert report.identical_images == report.linked_patients == report.mixed_series == 1
    assert report.conflicting_images == 2
    assert report.distances.with_doubled_position == 1


def test_nothing_of_a_patient_is_in_the_report(tmp_path: Path) -> None:
    """No identifier, key, name or path; unknown values are null in JSON."""
    home = write(tmp_path, {"ImagePositionPatient": [0, 0, 3]})
    report = inspect_folder("rsna", home)
    text = report.to_json() + "\n".join(report.lines())
    for word in ("SECRET", "ID_0", str(tmp_path), "1.2.840", "2.25"):
        assert word not in text
    assert json.loads(report.to_json())["distances"]["millimetres"]["median"] is None
    assert "not a medical device" in text


def test_labels_that_cannot_be_used_are_a_finding_and_no_crash(tmp_path: Path) -> None:
    """The command is there to say what is wrong."""
    home = write(tmp_path, {})
    (home / "labels.csv").write_text("ID,Label\nID_000000000_any,7\n", encoding="utf-8")
    report = inspect_folder("rsna", home)
    assert "not 0 or 1" in report.problems[0]
    assert any("not 0 or 1" in line for line in report.lines())


def test_a_part_of_a_large_folder_can_be_read(tmp_path: Path) -> None:
    """Spread over the whole set, in processes; listed stays whole."""
    home = write(tmp_path, *[{}] * 5)
    report = inspect_folder("rsna", home, limit=3)
    assert (report.listed, report.read) == (5, 3)


def test_a_folder_or_kind_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    """Nothing can be said of it."""
    with pytest.raises(FileNotFoundError):
        inspect_folder("rsna", tmp_path / "absent")
    with pytest.raises(ValueError, match="unknown"):
        inspect_folder("x", tmp_path)


def test_a_set_with_all_it_needs_has_no_problem(tmp_path: Path) -> None:
    """Three patients, every label, even series: nothing to report."""
    slices = [
        {
            "seed": patient * 3 + place,
            "PatientID": f"SECRET{patient}",
            "SeriesInstanceUID": f"1.2.{patient}",
        }
        for patient in range(3)
        for place in range(3)
    ]
    home = write(tmp_path, *slices)
    rows = ["ID,any," + ",".join(LABELS[:-1])]
    flags = np.eye(5, dtype=int)[np.arange(9) % 5]
    rows += [f"ID_{i:09x},1,{','.join(map(str, row))}" for i, row in enumerate(flags)]
    (home / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    report = inspect_folder("rsna", home)
    assert report.problems == ()
    assert report.lines()[-1] == "problem: none found"
