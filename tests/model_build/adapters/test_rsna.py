"""The RSNA layout on disk: nested folders, names by ID or UID, phantoms, files and labels apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_build.adapters.records import Item
from model_build.adapters.rsna import RsnaSource
from service.types import LABELS
from tests.factories import make_ct_slice, sop_uid

A, B = "ID_0000000a1", "ID_0000000b2"


def write(home: Path, *names: str, files: tuple[str, ...] = (), table: str = "labels.csv") -> Path:
    """A folder whose labels name some slices, with these (empty) files or one for each name."""
    rows = [f"{name}_{label},0" for name in names for label in LABELS]
    (home / table).write_text("\n".join(["ID,Label", *rows]) + "\n", encoding="utf-8")
    for file in files or tuple(f"dicom/{name}.dcm" for name in names):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).touch()
    return home


def items(source: RsnaSource) -> dict[str, Item]:
    """Items by name."""
    return {item.name: item for item in source.listing().items}


def test_slices_are_listed_by_name(tmp_path: Path) -> None:
    """In whatever order the labels are."""
    source = RsnaSource(write(tmp_path, B, A))
    assert list(items(source)) == [A, B]
    assert items(source)[A].labels == (0,) * 6
    assert source.listing().corrections == {}


def test_files_are_found_in_nested_folders(tmp_path: Path) -> None:
    """`stage_2_train/x.dcm` beside `stage_2_train.csv`, deeper, and in upper case."""
    files = (f"stage_2_train/{A}.dcm", f"deep/er/{B}.DCM")
    source = RsnaSource(write(tmp_path, A, B, files=files, table="stage_2_train.csv"))
    assert items(source)[B].path.name == f"{B}.DCM"
    assert len(items(source)) == 2


def test_files_are_found_by_their_instance_uid(tmp_path: Path) -> None:
    """Labels by SOPInstanceUID, files by number."""
    write(tmp_path, sop_uid(4), files=("CT0001.dcm",))
    (tmp_path / "CT0001.dcm").write_bytes(make_ct_slice(seed=4))
    (tmp_path / "CT0002.dcm").write_bytes(make_ct_slice(seed=5))
    listing = RsnaSource(tmp_path).listing()
    assert [item.path.name for item in listing.items] == ["CT0001.dcm"]
    assert listing.corrections == {"file_without_label": 1}


def test_two_files_of_one_name_stop_the_build(tmp_path: Path) -> None:
    """Which of them the label speaks of is not guessed."""
    with pytest.raises(ValueError, match="two files"):
        RsnaSource(write(tmp_path, A, files=(f"a/{A}.dcm", f"b/{A}.dcm"))).listing()


def test_a_missing_file_stops_the_build_of_the_folders_own_labels(tmp_path: Path) -> None:
    """A set with holes is not the set that the figures speak of."""
    write(tmp_path, A, B, files=(f"dicom/{A}.dcm",))
    with pytest.raises(FileNotFoundError, match="1 of 2"):
        RsnaSource(tmp_path).listing()


def test_a_table_from_elsewhere_may_name_more_and_that_is_counted(tmp_path: Path) -> None:
    """The labels of the whole challenge beside a part of its files; no file at all is an error."""
    (tmp_path / "set").mkdir()
    write(tmp_path, A, B, files=(f"set/{A}.dcm", "set/other.dcm"))
    table = tmp_path / "labels.csv"
    listing = RsnaSource(tmp_path / "set", table).listing()
    assert [item.name for item in listing.items] == [A]
    assert listing.corrections == {"labelled_without_file": 1, "file_without_label": 1}
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="2 of 2"):
        RsnaSource(tmp_path / "empty", table).listing()


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    """Neither labels.csv nor stage_2_train.csv."""
    with pytest.raises(FileNotFoundError, match=r"labels\.csv"):
        RsnaSource(tmp_path).listing()


def test_phantoms_are_known_by_their_truth(tmp_path: Path) -> None:
    """truth.csv marks lesions below the label rule, and masks lie beside the files."""
    source = RsnaSource(write(tmp_path, A, B))
    assert (source.facts.name, source.masks) == ("rsna", None)
    (tmp_path / "truth.csv").write_text(f"id,subvisible\n{A},1\n{B},0\n", encoding="utf-8")
    (tmp_path / "masks").mkdir()
    assert (source.facts.name, source.masks) == ("phantoms", tmp_path / "masks")
    assert [item.usable for item in items(source).values()] == [False, True]


def test_only_the_challenge_is_read_leniently(tmp_path: Path) -> None:
    """The same file with an `ID_` identifier is refused among phantoms."""
    source = RsnaSource(write(tmp_path, A))
    (item,) = source.listing().items
    item.path.write_bytes(make_ct_slice(SOPInstanceUID=A))
    assert next(source.read([item])).refused == ""
    (tmp_path / "truth.csv").write_text("id,subvisible\n", encoding="utf-8")
    assert next(source.read([item])).refused == "identity_missing"
