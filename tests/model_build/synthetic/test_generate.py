"""Tests of a whole set: bytes, workers, interruption, layout and prevalence."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pydicom
import pytest

from model_build.synthetic.generate import (
    DataSummary,
    _with_twins,
    describe,
    generate,
    plan_requests,
)
from model_build.synthetic.masks import read_mask
from model_build.synthetic.series import truth_columns
from service.dicom.decode import decode_slice
from service.types import LABELS

_SIZE = {"series": 2, "seed": 4, "slices": 2, "progress": False}


def _digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _row(name: str, patient: int, lesions: int, noise_hu: str = "4.00") -> list[str]:
    values = {"id": name, "phantom_seed": f"{patient:016x}", "lesions": str(lesions)}
    values["noise_hu"] = noise_hu
    return [values.get(column, "0") for column in truth_columns()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DataSummary]:
    """Two short series made by one process."""
    folder = tmp_path_factory.mktemp("set")
    return folder, generate(folder, workers=1, **_SIZE)  # type: ignore[arg-type]


@pytest.mark.slow
def test_workers_do_not_change_a_byte(made: tuple[Path, DataSummary], tmp_path: Path) -> None:
    """Two processes write exactly the files that one process writes."""
    generate(tmp_path, workers=2, **_SIZE)  # type: ignore[arg-type]
    assert _digest(tmp_path) == _digest(made[0])


def test_finished_series_are_not_made_again(tmp_path: Path) -> None:
    """After an interruption only the missing series is written, with the same result."""
    first = generate(tmp_path, workers=1, **_SIZE)  # type: ignore[arg-type]
    before = _digest(tmp_path)
    sorted((tmp_path / "parts").iterdir())[1].unlink()
    second = generate(tmp_path, workers=1, **_SIZE)  # type: ignore[arg-type]
    assert (first.written, second.written) == (2, 1)
    assert _digest(tmp_path) == before


def test_layout_is_the_one_of_rsna(made: tuple[Path, DataSummary]) -> None:
    """One file and six label rows per slice; every id is a file and every file has labels."""
    folder, summary = made
    with (folder / "labels.csv").open(encoding="ascii", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["ID", "Label"]
    names = [name.rsplit("_", 1) for name, _ in rows[1:]]
    assert len(names) == 6 * summary.slices == 24
    assert [label for _, label in names[:6]] == list(LABELS)
    assert {stem for stem, _ in names} == {p.stem for p in (folder / "dicom").iterdir()}
    assert {value for _, value in rows[1:]} <= {"0", "1"}


def test_labels_agree_with_the_truth(made: tuple[Path, DataSummary]) -> None:
    """labels.csv repeats truth.csv, and the summary counts it."""
    folder, summary = made
    with (folder / "labels.csv").open(encoding="ascii", newline="") as file:
        labels = {row["ID"]: row["Label"] for row in csv.DictReader(file)}
    with (folder / "truth.csv").open(encoding="ascii", newline="") as file:
        truth = list(csv.DictReader(file))
    for row in truth:
        assert all(labels[f"{row['id']}_{name}"] == row[name] for name in LABELS)
    counted = tuple(sum(int(row[name]) for row in truth) for name in LABELS)
    assert summary.positives == counted
    assert counted[-1] > 0


def test_every_visible_bleed_has_a_mask(made: tuple[Path, DataSummary]) -> None:
    """Slices with half-blood area of a subtype carry its index; there is no other mask."""
    folder = made[0]
    with (folder / "truth.csv").open(encoding="ascii", newline="") as file:
        truth = {row["id"]: row for row in csv.DictReader(file)}
    masks = {path.stem: set(read_mask(path).ravel()) - {0} for path in (folder / "masks").iterdir()}
    assert masks
    for name, row in truth.items():
        wide = {k + 1 for k in range(5) if float(row[f"{LABELS[k]}_area_mm2"]) >= 20.0}
        assert wide <= masks.get(name, set())
    assert all(any(float(truth[n][f"{k}_ml"]) > 0 for k in LABELS[:-1]) for n in masks)


def test_twins_name_each_other() -> None:
    """The twin of a slice is the same plane of the same head with the other bleeding state."""
    rows = [_row("a", 7, 1), _row("b", 7, 0), _row("c", 8, 1), _row("d", 7, 1, "5.10")]
    assert [row[-1] for row in _with_twins(rows)] == ["b", "a", "", ""]


def test_every_file_passes_the_gate(made: tuple[Path, DataSummary]) -> None:
    """Each file decodes to a head in air, and names its patient by the seed."""
    patients = Counter()
    for path in (made[0] / "dicom").iterdir():
        decoded = decode_slice(path.read_bytes())
        assert decoded.slice_hu is not None
        assert decoded.slice_hu.voxels_hu.min() < -950
        assert decoded.slice_hu.voxels_hu.max() > 700
        patients[pydicom.dcmread(path, stop_before_pixels=True).PatientID] += 1
    assert list(patients.values()) == [2, 2]


def test_a_set_says_how_it_was_made(made: tuple[Path, DataSummary], tmp_path: Path) -> None:
    """Mode and length of the series; a folder without series is an error."""
    assert describe(made[0]) == ("training", 2)
    with pytest.raises(FileNotFoundError):
        describe(tmp_path)


def test_another_seed_is_another_set(made: tuple[Path, DataSummary], tmp_path: Path) -> None:
    """No file name and no pixel of a set returns under another seed."""
    generate(tmp_path, series=1, seed=5, slices=2, progress=False)
    names = {path.name for path in (tmp_path / "dicom").iterdir()}
    assert not names & {path.name for path in (made[0] / "dicom").iterdir()}


def test_a_longer_set_begins_with_the_shorter_one() -> None:
    """Request k is the same in a set of 5 and of 50."""
    assert plan_requests(50, 3, "training")[:5] == plan_requests(5, 3, "training")


def test_training_sets_pair_bleeding_heads_with_twins() -> None:
    """Of forty series, 28 bleed, two a head; 10 others reuse a bleeding head, 2 have their own."""
    requests = plan_requests(40, 3, "training")
    bleeding = {r.patient_seed for r in requests if r.bleeding}
    quiet = [r.patient_seed for r in requests if not r.bleeding]
    assert sum(r.bleeding for r in requests) == 28
    assert len(bleeding) == 14
    assert {(r.patient_seed, r.exam) for r in requests if r.bleeding} == {
        (seed, exam) for seed in bleeding for exam in (0, 1)
    }
    assert sum(seed in bleeding for seed in quiet) == 10
    assert not any(r.exam for r in requests if not r.bleeding)
    assert len({r.patient_seed for r in requests}) == 16


def test_natural_sets_bleed_in_four_of_ten() -> None:
    """Study prevalence 40 % within binomial limits; every head is another person."""
    requests = plan_requests(600, 3, "natural")
    assert 0.34 < sum(r.bleeding for r in requests) / 600 < 0.46
    assert len({r.patient_seed for r in requests}) == 600
