"""Series choice: the one series of a scan that is read, never several put together.

A candidate is axial, without contrast, of a soft kernel and no reformat; of several the one whose
slice distance is nearest to 5 mm (that of the training data) wins, then the longer one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_build.adapters.dicom_file import Tags
from service.dicom import conditions
from service.dicom.limits import Caps
from service.dicom.reader import read

DISTANCE_MM = 5.0
_FEWEST_SLICES = 8
_WRONG = re.compile(
    r"\bPOST|(?<!PRE[ _-])CONTRAST|\d\s*CC\b|\d\s*SEC\b|\bCTA\b|ANGIO|VENO|PERFUSION|D3D"
    r"|\bBONE|\bSCOUT|\bLOCALI|\bMPR\b|\bCOR(ONAL)?\b|\bSAG(ITTAL)?\b"
)
_HEADER_RULES = (
    conditions.contrast_agent,
    conditions.sharp_kernel,
    conditions.not_axial,
    conditions.not_a_slice,
)


@dataclass(frozen=True, slots=True)
class Series:
    """The files of one series with their tags."""

    files: tuple[tuple[Path, Tags], ...]

    @property
    def distance_mm(self) -> float:
        """Median distance of neighbours along the slice normal; NaN when unknown."""
        orders = np.array([tags.order_mm for _, tags in self.files])
        steps = np.diff(np.unique(orders[np.isfinite(orders)].round(2)))
        return float(np.median(steps)) if len(steps) else math.nan


def choose(candidates: Sequence[Series]) -> Series | None:
    """The series to read; None when none is axial, non-contrast and soft."""
    fitting = [series for series in candidates if _fits(series)]
    return min(fitting, key=_rank, default=None)


def _fits(series: Series) -> bool:
    path, tags = series.files[len(series.files) // 2]
    if len(series.files) < _FEWEST_SLICES or math.isnan(series.distance_mm):
        return False
    # The folder repeats the description; older copies have it there alone.
    for text in (tags.description, path.parent.name):
        if _WRONG.search(text.upper()):
            return False
    caps = Caps()
    parsed = read(path.read_bytes(), caps)
    return not any(rule(parsed, caps) for rule in _HEADER_RULES)


def _rank(series: Series) -> tuple[float, int, str]:
    off = round(abs(series.distance_mm - DISTANCE_MM), 1)
    return off, -len(series.files), series.files[0][1].series
