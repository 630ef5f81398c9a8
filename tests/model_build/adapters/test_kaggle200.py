"""The 200-image set: a blank in the header, copies under one key, `any` alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_build.adapters.kaggle200 import Kaggle200Source


def write(home: Path, header: str = "id, hemorrhage") -> Kaggle200Source:
    """Five pictures of several sizes and modes; 2 copies 1, and 4 nearly does."""
    (home / "head_ct").mkdir(exist_ok=True)
    rng = np.random.default_rng(5)
    coarse = [rng.integers(0, 255, (8, 8), np.uint8) for _ in range(3)]
    near = np.clip(coarse[1].astype(int) + 3, 0, 255).astype(np.uint8)
    for number, picture in enumerate((coarse[0], coarse[1], coarse[1], coarse[2], near)):
        size = (300, 200) if number == 3 else (240, 240)
        mode = "RGBA" if number % 2 else "RGB"
        shown = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR).convert(mode)
        shown.save(home / "head_ct" / f"{number:03d}.png")
    rows = ["0,1", "1,1", "2,1", "3,0", "4,1"]
    (home / "labels.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return Kaggle200Source(home)


def test_the_header_has_a_leading_blank(tmp_path: Path) -> None:
    """`id, hemorrhage`; only `any` is known."""
    source = write(tmp_path)
    items = source.listing().items
    assert [item.labels for item in items][2:4] == [(0, 0, 0, 0, 0, 1), (0,) * 6]
    assert source.facts.known_labels == ("any",)
    assert not source.facts.hounsfield


def test_copies_share_a_patient_key(tmp_path: Path) -> None:
    """Identical and nearly identical pictures cannot be split; others can."""
    listing = write(tmp_path).listing()
    keys = [item.patient for item in listing.items]
    assert keys[1] == keys[2] == keys[4]
    assert len(set(keys)) == 3
    assert listing.corrections == {"near_identical_linked": 2}


def test_pictures_of_every_size_fill_the_grid(tmp_path: Path) -> None:
    """Grey values 0..255 on 512 x 512."""
    source = write(tmp_path)
    for record in source.read(source.listing().items):
        assert record.voxels is not None
        assert record.voxels.shape == (512, 512)
        assert 0 <= record.voxels.min() < record.voxels.max() <= 255


def test_a_broken_picture_is_refused(tmp_path: Path) -> None:
    """It links nothing and is not used."""
    source = write(tmp_path)
    (tmp_path / "head_ct" / "001.png").write_bytes(b"x")
    found = [record.refused for record in source.read(source.listing().items)]
    assert found == ["", "picture_corrupt", "", "", ""]


def test_a_missing_picture_stops_the_build(tmp_path: Path) -> None:
    """200 labels need 200 pictures."""
    source = write(tmp_path)
    (tmp_path / "head_ct" / "001.png").unlink()
    with pytest.raises(FileNotFoundError, match="1 of 5"):
        source.listing()


@pytest.mark.parametrize(
    "text",
    ["number,hemorrhage\n0,1\n", "id, hemorrhage\n0,2\n", "id, hemorrhage\n0,1\n0,0\n"],
    ids=["header", "value", "conflict"],
)
def test_inconsistent_labels_stop_the_build(tmp_path: Path, text: str) -> None:
    """Nothing is guessed."""
    source = write(tmp_path)
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="labels"):
        source.listing()
