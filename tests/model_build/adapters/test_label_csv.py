"""Label tables: both public layouts, old spellings, and every contradiction stops the build."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_build.adapters.label_csv import read_labels, slice_name
from service.types import LABELS

NONE = (0,) * 6
GOOD = [f"ID_0000000a1_{label},0" for label in LABELS]


def table(home: Path, *lines: str, encoding: str = "utf-8") -> Path:
    """A csv with these lines."""
    path = home / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def labelled(**values: int) -> list[str]:
    """Six long rows with some of the labels set."""
    return [f"ID_0000000a1_{label},{values.get(label, 0)}" for label in LABELS]


def test_long_rows_are_read_in_our_order(tmp_path: Path) -> None:
    """Subdural is the fifth and any the last, in whatever order the file lists them."""
    rows = labelled(subdural=1, any=1)[::-1]
    found, corrections = read_labels(table(tmp_path, "ID,Label", *rows))
    assert found == {"ID_0000000a1": (0, 0, 0, 0, 1, 1)}
    assert corrections == {}


def test_the_four_repeated_images_of_the_challenge_are_dropped_and_counted(tmp_path: Path) -> None:
    """24 duplicate rows of four images, as in stage_2_train.csv."""
    names = ("ID_a64d5deed", "ID_921490062", "ID_489ae4179", "ID_854fba667")
    rows = [f"{name}_{label},0" for name in names for label in LABELS]
    found, corrections = read_labels(table(tmp_path, "ID,Label", *rows, *rows))
    assert sorted(found) == sorted(names)
    assert corrections == {"duplicate_label_row": 24}


def test_the_published_row_arithmetic_holds() -> None:
    """4,516,842 rows are 752,803 images of six labels and 24 duplicates."""
    assert 4_516_842 == 752_803 * 6 + 24
    assert 752_803 - 269 == 752_534


WIDE = "ID,any,epidural,intraparenchymal,intraventricular,subarachnoid,subdural"


@pytest.mark.parametrize(
    "header",
    [
        WIDE,
        WIDE.upper(),
        "\ufeffImage, Any ,Epidural,Intraparenchymal,Intraventricular,Subarachnoid,Subdural ",
        "SOPInstanceUID,ICH,EDH,IPH,IVH,SAH,SDH",
        "file_name,any_hemorrhage,epidural hemorrhage,IPH,IVH,subarachnoid_haemorrhage,SDH",
    ],
    ids=["plain", "upper case", "BOM and blanks", "abbreviations", "long names"],
)
@pytest.mark.parametrize("name", ["ID_0000000a1", "ID_0000000a1.dcm", "train/ID_0000000a1.DCM"])
def test_one_row_per_slice_is_read_in_every_spelling(
    tmp_path: Path, header: str, name: str
) -> None:
    """Columns are found by name, wherever `any` stands; the name loses folder and suffix."""
    found, _ = read_labels(table(tmp_path, header, f"{name},1,0,0,0,1,0"))
    assert found == {"ID_0000000a1": (0, 0, 0, 1, 0, 1)}


def test_other_columns_of_a_wide_table_are_ignored(tmp_path: Path) -> None:
    """Tables that add patient and series keep their labels."""
    found, _ = read_labels(table(tmp_path, f"PatientID,{WIDE},series", "p,a,1,1,0,0,0,0,s"))
    assert found == {"a": (1, 0, 0, 0, 0, 1)}


def test_a_wide_table_without_any_gets_the_or_and_says_so(tmp_path: Path) -> None:
    """`any` is defined as the OR, so it is derived and counted."""
    header = WIDE.replace(",any", "")
    found, corrections = read_labels(table(tmp_path, header, "a,0,1,0,0,0", "b,0,0,0,0,0"))
    assert found == {"a": (0, 1, 0, 0, 0, 1), "b": NONE}
    assert corrections == {"any_derived": 2}


def test_repeated_wide_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    """One of two equal rows counts."""
    row = "a,0,0,0,0,0,0"
    found, corrections = read_labels(table(tmp_path, WIDE, row, row))
    assert (found, corrections) == ({"a": NONE}, {"duplicate_label_row": 1})


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["ID,Label", *GOOD, "ID_0000000a1_any,1"], "line 8.*contradicts"),
        (["ID,Label", *GOOD[:-1]], "lack"),
        (["ID,Label", *labelled(subdural=1)], "OR"),
        (["ID,Label", *GOOD[:-1], "ID_0000000a1_any,2"], "line 7.*not 0 or 1"),
        (["ID,Label", *GOOD[:-1], "ID_0000000a1_any,"], "not 0 or 1"),
        (["ID,Label", *GOOD, "ID_0000000a1_other,0"], "none of six"),
        (["ID,Label", *GOOD, "ID_0000000a1_any"], "too short"),
        ([WIDE, "a,1,0,0,0,0,0"], "OR"),
        ([WIDE, "a,1,1,0,0,0,0", "a,0,0,0,0,0,0"], "line 3.*contradicts"),
        ([WIDE, "a,1,0.5,0,0,0,0"], "not 0 or 1"),
        ([WIDE, "a,1,1"], "too short"),
        (["ID,any,epidural", "a,1,1"], "neither the columns"),
        ([], "neither the columns"),
    ],
)
def test_inconsistent_tables_stop_the_build(tmp_path: Path, lines: list[str], words: str) -> None:
    """Nothing is guessed, and the message names the line, not the slice."""
    with pytest.raises(ValueError, match=words) as caught:
        read_labels(table(tmp_path, *lines))
    assert "0000000a1" not in str(caught.value)


def test_a_uid_keeps_its_last_component() -> None:
    """Only a suffix of DICOM files is cut off a name."""
    assert slice_name("1.2.840.7") == "1.2.840.7"
    assert slice_name(r"dir\1.2.840.7.dcm") == "1.2.840.7"
