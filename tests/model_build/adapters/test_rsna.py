"""The RSNA layout: six rows a slice, and every contradiction stops the build."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_build.adapters.rsna import read_folder
from service.types import LABELS

GOOD = [f"ID_0000000a1_{label},0" for label in LABELS]


def write(home: Path, rows: list[str], truth: str | None = None) -> Path:
    """A folder with one (empty) file and these label rows."""
    (home / "dicom").mkdir(exist_ok=True)
    (home / "dicom" / "ID_0000000a1.dcm").touch()
    (home / "labels.csv").write_text("\n".join(["ID,Label", *rows]) + "\n", encoding="utf-8")
    if truth is not None:
        (home / "truth.csv").write_text(truth, encoding="utf-8")
    return home


def labelled(**values: int) -> list[str]:
    """Six rows with some of the labels set."""
    return [f"ID_0000000a1_{label},{values.get(label, 0)}" for label in LABELS]


def test_labels_are_read_in_our_order(tmp_path: Path) -> None:
    """Subdural is the fifth and any the last, in whatever order the file lists them."""
    rows = labelled(subdural=1, any=1)[::-1]
    (file,) = read_folder(write(tmp_path, rows))
    assert file.labels == (0, 0, 0, 0, 1, 1)
    assert not file.subvisible


def test_a_repeated_row_that_agrees_is_dropped(tmp_path: Path) -> None:
    """The challenge repeats 24 rows."""
    assert len(read_folder(write(tmp_path, [*GOOD, GOOD[0]]))) == 1


def test_a_lesion_below_the_label_rule_is_marked(tmp_path: Path) -> None:
    """truth.csv of the phantoms says so; training leaves the slice out."""
    (file,) = read_folder(write(tmp_path, GOOD, "id,subvisible\nID_0000000a1,1\n"))
    assert file.subvisible


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([*GOOD, "ID_0000000a1_any,1"], "contradicts"),
        (GOOD[:-1], "lacks"),
        (labelled(subdural=1), "OR"),
        ([*GOOD[:-1], "ID_0000000a1_any,2"], "not 0 or 1"),
        ([*GOOD, "ID_0000000a1_other,0"], "of six"),
    ],
    ids=["conflict", "missing label", "any is not the OR", "value", "unknown label"],
)
def test_inconsistent_labels_stop_the_build(tmp_path: Path, rows: list[str], words: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=words):
        read_folder(write(tmp_path, rows))


def test_a_labelled_slice_without_a_file_stops_the_build(tmp_path: Path) -> None:
    """A set with holes is not the set that the figures speak of."""
    write(tmp_path, GOOD)
    (tmp_path / "dicom" / "ID_0000000a1.dcm").unlink()
    with pytest.raises(FileNotFoundError):
        read_folder(tmp_path)
