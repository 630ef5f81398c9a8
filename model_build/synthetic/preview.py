"""Preview: a contact sheet of phantom slices, so that a person can look, real slices beside them.

masks/, dicom/, labels.csv ─> a few slices per label and without blood ─> windows ─> one PNG
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from model_build.synthetic.masks import read_mask
from model_build.synthetic.truth import Truth, read_truth
from service.dicom.decode import decode_slice
from service.types import LABELS

Hu = npt.NDArray[np.int16]
Grey = npt.NDArray[np.uint8]

WINDOWS: tuple[tuple[str, float, float], ...] = (("brain", 40.0, 80.0), ("subdural", 80.0, 200.0))
TILE = 320  # pixels of one picture
PER_ROW = 4  # slices of one row; each is shown in every window
_CAPTION = 14
_COLORS = ((255, 90, 60), (255, 200, 40), (80, 220, 90), (70, 180, 255), (230, 90, 255))
NOTICE = "Synthetic phantoms. Research use, not a medical device."


@dataclass(frozen=True, slots=True)
class Tile:
    """One slice on the sheet: int16 (512, 512) HU, its caption and its mask or None."""

    hu: Hu
    caption: str
    mask: Grey | None = None


def contact_sheet(
    folder: Path, output: Path, beside: Path | None = None, outline: bool = False
) -> int:
    """Write a contact sheet of a phantom set as PNG.

    Rows: slices without blood, then slices of each subtype, then slices of `beside`.

    Args:
        folder: A finished phantom set.
        output: PNG to write.
        beside: Folder of DICOM files, for instance of real heads; searched recursively.
        outline: Draw the border of every blood mask.

    Returns:
        Number of slices shown.

    Raises:
        FileNotFoundError: there is no truth.csv in `folder`, or no readable slice in `beside`.
    """
    truth = read_truth(folder)
    rows = [_phantom_row(folder, truth, None, outline)]
    rows += [_phantom_row(folder, truth, label, outline) for label in range(len(LABELS) - 1)]
    if beside is not None:
        rows += _rows_beside(beside)
    shown = [row for row in rows if row]
    _draw(shown).save(output)
    return sum(map(len, shown))


def windowed(hu: Hu, center: float, width: float) -> Grey:
    """8-bit grey of HU in a display window: black at and below center - width / 2."""
    low = center - width / 2
    scaled = (hu.astype(np.float32) - low) / width
    grey: Grey = np.rint(np.clip(scaled, 0.0, 1.0) * 255.0).astype(np.uint8)
    return grey


def _phantom_row(folder: Path, truth: Truth, label: int | None, outline: bool) -> list[Tile]:
    """Slices of one subtype, or without blood: of different series, from the middle of the list."""
    wanted = truth.labels[:, -1] == 0 if label is None else truth.labels[:, label] == 1
    chosen = _spread(np.flatnonzero(wanted & ~truth.subvisible), truth.series)
    tiles = []
    for row in chosen:
        name = truth.names[row]
        mask = read_mask(folder / "masks" / f"{name}.png") if outline else None
        found = [LABELS[k] for k in np.flatnonzero(truth.labels[row, :-1])] or ["no blood"]
        caption = f"phantom {truth.series[row]}: {', '.join(found)}"
        tiles.append(Tile(_read(folder / "dicom" / f"{name}.dcm"), caption, mask))
    return tiles


def _spread(rows: npt.NDArray[np.intp], series: Sequence[str]) -> list[int]:
    """Up to PER_ROW of the rows: a middle one of each of as many series as there are."""
    by_series: dict[str, list[int]] = {}
    for row in rows:
        by_series.setdefault(series[row], []).append(int(row))
    groups = list(by_series.values())
    picks = [groups[k] for k in _evenly(len(groups), PER_ROW)]
    return [group[len(group) // 2] for group in picks]


def _evenly(count: int, wanted: int) -> list[int]:
    """Up to `wanted` different places of 0..count-1, first and last included."""
    return sorted({round(place) for place in np.linspace(0, count - 1, wanted)} if count else ())


def _rows_beside(folder: Path) -> list[list[Tile]]:
    """Every readable slice of a folder of DICOM files, thinned out to two rows."""
    tiles = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        decoded = decode_slice(path.read_bytes())
        if decoded.slice_hu is not None:
            tiles.append(Tile(decoded.slice_hu.voxels_hu, "beside"))
    if not tiles:
        raise FileNotFoundError("no readable slice in the folder to show beside")
    chosen = [tiles[k] for k in _evenly(len(tiles), 2 * PER_ROW)]
    return [chosen[:PER_ROW], chosen[PER_ROW:]]


def _read(path: Path) -> Hu:
    decoded = decode_slice(path.read_bytes())
    if decoded.slice_hu is None:
        raise ValueError("a slice of the phantom set does not pass the gate")
    return decoded.slice_hu.voxels_hu


def _draw(rows: Iterable[Sequence[Tile]]) -> Image.Image:
    table = list(rows)
    columns = max(map(len, table)) * len(WINDOWS)
    sheet = Image.new("RGB", (columns * TILE, _CAPTION + len(table) * (TILE + _CAPTION)))
    ImageDraw.Draw(sheet).text((4, 1), NOTICE, fill=(200, 200, 200))
    for y, row in enumerate(table):
        for x, tile in enumerate(row):
            for w, (name, center, width) in enumerate(WINDOWS):
                corner = ((x * len(WINDOWS) + w) * TILE, _CAPTION + y * (TILE + _CAPTION))
                ImageDraw.Draw(sheet).text(corner, f"{tile.caption}, {name}", fill=(255, 255, 255))
                picture = _picture(windowed(tile.hu, center, width), tile.mask)
                sheet.paste(picture, (corner[0], corner[1] + _CAPTION))
    return sheet


def _picture(grey: Grey, mask: Grey | None) -> Image.Image:
    """One picture of TILE pixels with the border of each subtype in its colour."""
    color = np.repeat(grey[:, :, None], 3, axis=2)
    for label in range(len(LABELS) - 1) if mask is not None else ():
        blood = mask == label + 1
        color[blood & ~ndimage.binary_erosion(blood)] = _COLORS[label]
    return Image.fromarray(color).resize((TILE, TILE), Image.Resampling.LANCZOS)
