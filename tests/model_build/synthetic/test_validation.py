"""Test of the whole check on a short set: every part reports, and the report can be written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_build.synthetic.generate import generate
from model_build.synthetic.validation import check


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen short series, the last of them the twin of the first."""
    folder = tmp_path_factory.mktemp("set")
    generate(folder, series=13, seed=4, slices=2, progress=False)
    return folder


@pytest.mark.slow
def test_check_measures_everything(folder: Path) -> None:
    """Heads, images and lesions are measured; what a valid set must keep is kept."""
    report = check(folder, heads=1, progress=False)
    assert (report.series, report.slices) == (13, 26)
    for name in (
        "mode white matter",
        "noise SD drawn",
        "threshold detector AUROC any",
        "thumbnail probe AUROC any",
        "prevalence any",
        "KS mean HU subdural",
    ):
        report.value(name)
    assert report.value("heads that differ by more than lesions") == 0.0
    assert report.value("slices refused by the gate") == 0.0
    assert report.value("slices with the pixels of another") == 0.0
    json.dumps(report.as_dict())


def test_an_unfinished_folder_is_an_error(tmp_path: Path) -> None:
    """There is nothing to check before the phantoms are written."""
    with pytest.raises(FileNotFoundError):
        check(tmp_path)
