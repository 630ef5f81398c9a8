"""CQ500 on disk: one plain series of each scan, strangers left out, labels of the scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_build.adapters.cq500 import Cq500Source
from model_build.adapters.dicom_file import read_tags
from model_build.adapters.series_choice import Series, choose
from tests.factories import make_ct_slice
from tests.model_build.adapters.test_cq500_reads import row, table


def series(scan: Path, name: str, number: int, slices: int = 10, **fields: Any) -> Path:
    """Files of one series in its folder, 5 mm apart unless `step` says otherwise."""
    folder = scan / "Unknown Study" / name
    folder.mkdir(parents=True)
    step = fields.pop("step", 5)
    for place in range(slices):
        body = make_ct_slice(
            seed=place,
            SeriesInstanceUID=f"1.2.{number}",
            SOPInstanceUID=f"1.2.{number}.{place}",
            ImagePositionPatient=[0, 0, step * place],
            **{"SeriesDescription": name} | fields,
        )
        (folder / f"CT{slices - place:06d}.dcm").write_bytes(body)
    return folder


def found(folder: Path) -> Series:
    """A series as the adapter sees it."""
    return Series(tuple((path, read_tags(path)) for path in sorted(folder.iterdir())))


def test_one_series_of_several_is_chosen_by_rule(tmp_path: Path) -> None:
    """Of six series the plain one with distances nearest to 5 mm; never several together."""
    candidates = [
        series(tmp_path, "CT Plain", 1),
        series(tmp_path, "CT PLAIN THIN", 2, slices=12, step=1),
        series(tmp_path, "CT BONE", 3, slices=14),
        series(tmp_path, "CT 4cc sec 150cc D3D on", 4, slices=15),
        series(tmp_path, "CT POST CONTRAST 5MM STD", 5, slices=16),
        series(tmp_path, "CT few", 6, slices=3),
    ]
    chosen = choose([found(folder) for folder in candidates])
    assert chosen is not None
    assert chosen.files[0][1].series == "1.2.1"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("CT x", {"ConvolutionKernel": "H60s"}),
        ("CT x", {"ContrastBolusAgent": "Iohexol"}),
        ("CT x", {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}),
        ("CT x", {"ImageType": ["DERIVED", "SECONDARY", "MPR"]}),
        ("CT 150cc", {"SeriesDescription": ""}),
    ],
    ids=["sharp kernel", "contrast agent", "coronal", "reformat", "described by its folder"],
)
def test_series_that_are_not_plain_are_never_chosen(
    tmp_path: Path, name: str, fields: dict[str, Any]
) -> None:
    """Headers decide as well as descriptions."""
    assert choose([found(series(tmp_path, name, 1, **fields))]) is None


def test_a_series_before_contrast_is_plain(tmp_path: Path) -> None:
    """`CT PRE CONTRAST 5MM STD` is what its name says."""
    assert choose([found(series(tmp_path, "CT PRE CONTRAST 5MM STD", 1))]) is not None


def test_slices_carry_the_labels_of_their_scan(tmp_path: Path) -> None:
    """Joined by number, ordered along the normal, with the batch; the rest is counted."""
    scan = tmp_path / "qct01" / "CQ500CT12 CQ500CT12"
    series(scan, "CT Plain", 1)
    series(scan, "CT BONE", 2)
    stranger = make_ct_slice(PatientID="OTHER", StudyInstanceUID="1.9", SeriesInstanceUID="1.2.1")
    (scan / "Unknown Study" / "CT Plain" / "CT999999.dcm").write_bytes(stranger)
    series(tmp_path / "CQ500CT7 CQ500CT7", "CT BONE", 3)
    series(tmp_path / "CQ500CT8 CQ500CT8", "CT Plain", 4)
    rows = [row(f"CQ500-CT-{n}", "B2", "ICH SDH", "ICH SDH", "") for n in (12, 7, 99)]
    table(tmp_path, *rows)
    source = Cq500Source(tmp_path)
    listing = source.listing()
    assert {item.labels for item in listing.items} == {(0, 0, 0, 0, 1, 1)}
    assert {item.group for item in listing.items} == {"B2"}
    assert len({item.name for item in listing.items}) == len(listing.items) == 10
    assert listing.corrections == {
        "slice_of_another_study": 1,
        "series_not_chosen": 1,
        "scan_without_fitting_series": 1,
        "scan_without_reads": 1,
        "reads_without_scan": 1,
    }
    orders = [record.order for record in source.read(listing.items)]
    assert orders == [5.0 * place for place in range(10)]
    assert source.facts.label_level == "scan"


def test_reads_without_any_scan_are_refused(tmp_path: Path) -> None:
    """Labels alone are no data."""
    table(tmp_path, row("CQ500-CT-1", "B1", "", "", ""))
    with pytest.raises(FileNotFoundError):
        Cq500Source(tmp_path).listing()
