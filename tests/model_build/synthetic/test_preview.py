"""Tests of the contact sheet: what is shown, in which windows, and with which outline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_build.synthetic import preview
from model_build.synthetic.dicom_writer import build_dataset, to_bytes
from model_build.synthetic.masks import write_mask
from model_build.synthetic.truth import Truth
from tests.model_build.synthetic.drawn_truth import drawn_truth
from tests.model_build.synthetic.valid_slice import image, valid_header

_BODY = to_bytes(build_dataset(valid_header(), 0, image()))
_TILE = preview.TILE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six series: five without blood, one subdural with a mask."""
    truth = drawn_truth(series=6, slices=1)
    truth.labels[5, [4, 5]] = 1
    (tmp_path / "dicom").mkdir()
    (tmp_path / "masks").mkdir()
    for name in truth.names:
        (tmp_path / "dicom" / f"{name}.dcm").write_bytes(_BODY)
    mask = np.zeros((512, 512), np.uint8)
    mask[200:300, 200:300] = 5
    write_mask(tmp_path / "masks" / f"{truth.names[5]}.png", mask)
    monkeypatch.setattr(preview, "read_truth", lambda _: truth)
    return tmp_path


def _sheet(folder: Path, **options: object) -> tuple[int, np.ndarray]:
    shown = preview.contact_sheet(folder, folder / "sheet.png", **options)  # type: ignore[arg-type]
    with Image.open(folder / "sheet.png") as sheet:
        return shown, np.asarray(sheet.convert("RGB"))


def test_rows_are_no_blood_and_each_subtype_there_is(folder: Path) -> None:
    """Four of five slices without blood, then the one subdural, each in two windows."""
    shown, sheet = _sheet(folder)
    assert shown == 5
    assert sheet.shape[1] == 4 * 2 * _TILE
    assert sheet.shape[0] // _TILE == 2
    assert sheet.std() > 20.0


def test_outline_is_coloured(folder: Path) -> None:
    """Grey without an outline, the colour of the subtype with it."""
    _, plain = _sheet(folder)
    _, outlined = _sheet(folder, outline=True)
    assert np.ptp(plain.astype(int), axis=2).max() == 0
    assert np.ptp(outlined.astype(int), axis=2).max() > 50


def test_other_slices_stand_beside(folder: Path, tmp_path: Path) -> None:
    """Readable files of a folder follow in rows of their own, others are passed over."""
    other = tmp_path / "other"
    (other / "deep").mkdir(parents=True)
    for k in range(9):
        (other / "deep" / f"{k}.dcm").write_bytes(_BODY)
    (other / "note.txt").write_text("no slice")
    shown, sheet = _sheet(folder, beside=other)
    assert shown == 5 + 8
    assert sheet.shape[0] // _TILE == 4


def test_nothing_to_show_beside_is_an_error(folder: Path, tmp_path: Path) -> None:
    """A folder without a readable slice is named as such."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="beside"):
        _sheet(folder, beside=tmp_path / "empty")


def test_subvisible_slices_are_not_shown_as_clean(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice with blood below the label rule is no example of no blood."""
    truth: Truth = preview.read_truth(folder)
    hidden = replace(truth, subvisible=np.array([True] * 4 + [False] * 2))
    monkeypatch.setattr(preview, "read_truth", lambda _: hidden)
    assert _sheet(folder)[0] == 2


def test_windows_show_their_range() -> None:
    """0 HU is black, 40 grey, 80 white in the brain window."""
    grey = preview.windowed(np.array([[-5, 0, 40, 80, 900]], np.int16), 40.0, 80.0)
    assert grey.tolist() == [[0, 0, 128, 255, 255]]
