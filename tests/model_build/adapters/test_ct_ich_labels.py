"""CT-ICH tables: odd headers, the opposite of no hemorrhage, ages in a column over two lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_build.adapters.ct_ich_labels import Diagnosis, read_age_groups, read_diagnoses

HEADER = (
    "PatientNumber,SliceNumber,Intraventricular,Intraparenchymal,Subarachnoid,Epidural,"
    "Subdural,No_Hemorrhage,Fracture_Yes_No"
)
# As FDA's copy has it: a BOM and a blank within the quotes.
ODD_HEADER = "\ufeff" + HEADER.replace("Intraventricular", '"Intraventricular  "')


def table(home: Path, *lines: str) -> Path:
    """A csv of these lines."""
    path = home / "t.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("header", [HEADER, ODD_HEADER], ids=["plain", "BOM and blank"])
def test_columns_go_to_our_order(tmp_path: Path, header: str) -> None:
    """The release lists ventricular first; `any` is the opposite of No_Hemorrhage."""
    path = table(tmp_path, header, "49,2,1,0,0,0,0,0,1", "49,1,0,0,0,1,0,0,0", "50,1,0,0,0,0,0,1,0")
    rows, corrections = read_diagnoses(path)
    assert rows == [
        Diagnosis(49, 1, (1, 0, 0, 0, 0, 1)),
        Diagnosis(49, 2, (0, 0, 1, 0, 0, 1)),
        Diagnosis(50, 1, (0, 0, 0, 0, 0, 0)),
    ]
    assert corrections == {}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["49,1,1,0,0,0,0,1,0"], "line 2.*OR"),
        (["49,1,0,0,0,0,0,0,0"], "OR"),
        (["49,1,2,0,0,0,0,0,0"], "not 0 or 1"),
        (["x,1,1,0,0,0,0,0,0"], "not 0 or 1"),
        (["49,1,0,0,0,0,0,1,0", "49,1,1,0,0,0,0,0,0"], "line 3.*contradicts"),
    ],
)
def test_inconsistent_diagnoses_stop_the_build(tmp_path: Path, rows: list[str], words: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=words):
        read_diagnoses(table(tmp_path, HEADER, *rows))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """By its plain name."""
    with pytest.raises(ValueError, match="subdural"):
        read_diagnoses(table(tmp_path, HEADER.replace("Subdural,", ""), "49,1,1,0,0,0,0,0"))


def test_repeated_rows_are_counted(tmp_path: Path) -> None:
    """An equal row is dropped."""
    row = "49,1,0,0,0,0,0,1,0"
    rows, corrections = read_diagnoses(table(tmp_path, HEADER, row, row))
    assert (len(rows), corrections) == (1, {"duplicate_label_row": 1})


def test_the_age_column_holds_a_newline(tmp_path: Path) -> None:
    """`Age` and `(years)` on two lines are one column; notes below the table are no patients."""
    lines = (
        '\ufeffPatient Number,"Age\n(years)",Gender ',
        "49,17.5,Male",
        "50,18,Female",
        ",,note",
    )
    assert read_age_groups(table(tmp_path, *lines)) == {49: "paediatric", 50: "adult"}
    assert read_age_groups(tmp_path / "absent.csv") == {}
    with pytest.raises(ValueError, match="age"):
        read_age_groups(table(tmp_path, "Patient Number,Years", "49,3"))


def test_a_mask_has_a_type_only_when_one_alone_is_positive() -> None:
    """Blood of two types on a slice is not told apart by the mask."""
    assert Diagnosis(1, 1, (0, 0, 0, 1, 0, 1)).mask_value == 4
    assert Diagnosis(1, 1, (0, 1, 0, 1, 0, 1)).mask_value == 6
