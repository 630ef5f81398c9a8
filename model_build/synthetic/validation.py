"""Validation: measure a finished phantom set against the limits of its specification.

set folder ─> truth | images | rebuilt heads ─> measures with pass or fail ─> report
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_build.synthetic.check_anatomy import build_pairs, check_anatomy
from model_build.synthetic.check_images import check_images, look
from model_build.synthetic.check_lesions import check_lesions
from model_build.synthetic.generate import describe
from model_build.synthetic.measure import Report, measure
from model_build.synthetic.rise import rise_beside
from model_build.synthetic.truth import Truth, read_truth

HEADS = 8  # rebuilt with and without lesions, some seconds each


def check(
    folder: Path,
    max_series: int = 200,
    heads: int = HEADS,
    progress: bool = True,
    beside: Path | None = None,
) -> Report:
    """Measure a phantom set.

    Args:
        folder: A finished set of `generate.generate`.
        max_series: First series whose images are decoded; the truth of all is read.
        heads: Bleeding heads that are built again to look at them without noise.
        progress: Show a progress bar.
        beside: Folder of real heads, for figures to compare with; they have no limits.

    Returns:
        Every figure with its limits.

    Raises:
        FileNotFoundError: the folder is no finished set.
        ValueError: the set was written by an earlier recipe.
    """
    truth = read_truth(folder)
    mode, slices = describe(folder)
    rows = _first_rows(truth, max_series)
    seen = look(folder, truth, rows, progress)
    noise = float(np.median(seen.noise_hu or truth.noise_hu))
    bleeding = [seed for seed, bled in zip(truth.patients, truth.bleeding, strict=True) if bled]
    pairs = build_pairs(list(dict.fromkeys(bleeding))[:heads], mode, slices)
    measures = (
        *check_anatomy(pairs, noise),
        *check_images(truth, rows, seen),
        *check_lesions(folder, truth, mode),
    )
    if beside is not None:
        rise = rise_beside(beside)
        measures += (measure("rise of brain towards the skull, beside", rise, unit="HU"),)
    return Report(len(set(truth.series)), len(truth), measures)


def _first_rows(truth: Truth, max_series: int) -> npt.NDArray[np.intp]:
    """Rows of the first `max_series` series, where heads and their twins stay together."""
    series = np.array([int(name) for name in truth.series])
    return np.flatnonzero(series < max_series)
