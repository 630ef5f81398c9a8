"""CQ500 reads: majority of three, names of two spellings, batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_build.adapters.cq500_reads import read_votes, scan_number

_COLUMNS = (
    *("ICH", "IPH", "IVH", "SDH", "EDH", "SAH", "BleedLocation-Left", "BleedLocation-Right"),
    *("ChronicBleed", "Fracture", "CalvarialFracture", "OtherFracture", "MassEffect"),
    "MidlineShift",
)
HEADER = ",".join(
    ["name", "Category", *(f"R{reader}:{name}" for reader in (1, 2, 3) for name in _COLUMNS)]
)


def row(name: str, batch: str, *readers: str) -> str:
    """A row from each reader's findings, for example "ICH SDH"."""
    votes = [str(int(name in seen.split())) for seen in readers for name in _COLUMNS]
    return ",".join([name, batch, *votes])


def table(home: Path, *rows: str) -> Path:
    """reads.csv with its BOM."""
    path = home / "reads.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8-sig")
    return path


def test_two_of_three_decide(tmp_path: Path) -> None:
    """Votes by label, and the majority of each."""
    rows = [row("CQ500-CT-12", "B1", "ICH SDH", "ICH EDH SDH", "")]
    found, counts = read_votes(table(tmp_path, *rows))
    assert found[12].votes == (1, 0, 0, 0, 2, 2)
    assert found[12].labels == (0, 0, 0, 0, 1, 1)
    assert found[12].batch == "B1"
    assert counts == {}


def test_any_is_the_majority_on_blood_and_not_the_or(tmp_path: Path) -> None:
    """Three readers see blood and name three types: counted, not an error."""
    rows = [row("CQ500-CT-0", "B2", "ICH SDH", "ICH EDH", "ICH SAH")]
    found, counts = read_votes(table(tmp_path, *rows))
    assert found[0].labels == (0, 0, 0, 0, 0, 1)
    assert counts == {"any_is_not_the_or_of_majorities": 1}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row("CQ500-CT-1", "B3", "", "", "")], "category"),
        ([row("CT-1", "B1", "", "", "")], "name"),
        ([row("CQ500-CT-1", "B1", "", "", "").replace("0", "x", 3)], "no scan name|vote"),
        ([row("CQ500-CT-1", "B1", "", "", ""), row("CQ500CT1", "B2", "", "", "")], "contradicts"),
    ],
)
def test_inconsistent_reads_stop_the_build(tmp_path: Path, rows: list[str], words: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=words):
        read_votes(table(tmp_path, *rows))


def test_names_and_folders_give_one_number() -> None:
    """`CQ500-CT-12` in the table is `CQ500CT12 CQ500CT12` on disk."""
    folder = "CQ500CT12 CQ500CT12/Unknown Study/CT Plain"
    assert scan_number("CQ500-CT-12") == scan_number(folder) == 12
    assert scan_number("Unknown Study") is None


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """A reader's column."""
    path = tmp_path / "reads.csv"
    path.write_text(HEADER.replace("R3:SAH", "R3:XXX") + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="R3:SAH"):
        read_votes(path)
