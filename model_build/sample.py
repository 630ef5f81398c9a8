"""Sample: the synthetic slice that ships with the repository, for the first curl of a newcomer."""

from __future__ import annotations

import csv
import shutil
import tempfile
from pathlib import Path

from model_build.synthetic.generate import generate
from service.dicom.decode import decode_slice

SEED = 15
SERIES = 4


def write_sample(path: Path) -> None:
    """Write the slice with the largest hemorrhage of a small fixed set; the same bytes always.

    Only slices that the input gate has nothing to say about are looked at.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        generate(home, series=SERIES, seed=SEED, progress=False, mode="training")
        with (home / "truth.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        areas = [column for column in rows[0] if column.endswith("_area_mm2")]
        rows.sort(key=lambda row: -sum(float(row[column] or 0.0) for column in areas))
        files = (home / "dicom" / f"{row['id']}.dcm" for row in rows)
        # A newcomer's first answer should be about the slice, not about its tags.
        best = next(file for file in files if not decode_slice(file.read_bytes()).violations)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(best, path)
