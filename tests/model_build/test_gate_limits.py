"""How the content check is measured: heads, others, and what the gate refuses before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model_build.gate_families import FAMILIES
from model_build.gate_limits import measured, write
from service.dicom.content import SKIPPED, WARNED
from tests.factories import make_ct_slice


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two heads and a report that is no DICOM; noise and an MR."""
    heads, others = tmp_path / "heads", tmp_path / "others"
    heads.mkdir()
    others.mkdir()
    for seed in range(2):
        (heads / f"{seed}.dcm").write_bytes(make_ct_slice(seed=seed))
    (heads / "LICENSE").write_text("words")
    noise = np.random.default_rng(0).integers(24, 3000, (512, 512))
    (others / "noise").write_bytes(make_ct_slice(pixels=noise))
    (others / "mr").write_bytes(make_ct_slice(Modality="MR"))
    return heads, others


def test_counts_by_set(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """Heads pass, noise does not, and an MR is not even looked at."""
    heads, others = folders
    first, second = measured([heads], [others], series=0, workers=1)
    assert (first.name, first.heads, first.read, first.before) == ("heads", True, 2, 0)
    assert (first.skipped, first.warned, first.limits) == (0, 0, {})
    assert (second.name, second.heads, second.read, second.before) == ("others", False, 2, 1)
    assert (second.skipped, second.warned) == (1, 0)
    assert set(second.limits) <= {limit.words for limit in (*SKIPPED, *WARNED)}
    low, high = first.ranges["brain_hu"]
    assert 25.0 < low <= high < 40.0
    assert second.families == {}
    assert set(first.families) == set(FAMILIES)
    assert first.families["inverted"] == (2, 0, 0)
    write([first, second], tmp_path / "out.json")
    facts = json.loads((tmp_path / "out.json").read_text())
    assert [item["name"] for item in facts["sets"]] == ["heads", "others"]
    assert str(tmp_path) not in (tmp_path / "out.json").read_text()


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    """Nothing is measured before every folder is there."""
    with pytest.raises(FileNotFoundError, match="no such folder"):
        measured([tmp_path / "none"], [], series=0, workers=1)
