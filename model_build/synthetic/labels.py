"""Labels: what an annotator would call positive on one slice, from the exact blood fractions.

Rule: at least 12 mm^2 with half of the voxel or more blood, and a contrast of at least one noise
SD to the tissue around. Blood that misses the rule is "subvisible": label 0, kept out of training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model_build.synthetic.geometry import Field

MIN_AREA_MM2 = 12.0
MIN_FRACTION = 0.5
MIN_CNR = 1.0
_TRACE_MM2 = 1.0  # less blood than this on a slice is none at all
_BONE_MARGIN_MM = 1.5  # closer to bone a mean measures partial volume, not blood

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Finding:
    """One subtype on one slice.

    Attributes:
        area_mm2: Area with a blood fraction of one half or more.
        mean_hu: Mean noise-free HU of that area away from bone; NaN without area.
        cnr: Contrast to the surrounding tissue over the noise SD.
        trace: Whether there is any blood of the subtype.
    """

    area_mm2: float
    mean_hu: float
    cnr: float
    trace: bool

    @property
    def positive(self) -> bool:
        """Whether the label rule is met."""
        return is_positive(self.area_mm2, self.cnr)

    @property
    def subvisible(self) -> bool:
        """Whether there is blood that the label rule does not count."""
        return self.trace and not self.positive


ABSENT = Finding(0.0, float("nan"), 0.0, False)


def is_positive(area_mm2: float, cnr: float) -> bool:
    """The label rule: both limits belong to the positive side."""
    return area_mm2 >= MIN_AREA_MM2 and cnr >= MIN_CNR


def find(
    hu: Field,
    depth: Field,
    blood: Mapping[int, Field],
    noise_hu: float,
    pixel_mm2: float,
) -> dict[int, Finding]:
    """Apply the rule to one slice.

    Args:
        hu: (Y, X) noise-free HU.
        depth: (Y, X) mm below the inner table.
        blood: Label index -> (Y, X) blood fraction.
        noise_hu: Noise SD of the series.
        pixel_mm2: Area of one sample.

    Returns:
        A finding per label index in `blood`.
    """
    any_blood = np.zeros(hu.shape, dtype=np.bool_)
    for fraction in blood.values():
        any_blood |= fraction > 0.05
    tissue = ~any_blood & (depth > _BONE_MARGIN_MM) & (hu > 0.0) & (hu < 100.0)
    return {
        label: _finding(hu, depth, fraction, tissue, noise_hu, pixel_mm2)
        for label, fraction in blood.items()
    }


def _finding(
    hu: Field, depth: Field, fraction: Field, tissue: Mask, noise_hu: float, pixel_mm2: float
) -> Finding:
    trace = float(fraction.sum(dtype=np.float64)) * pixel_mm2 >= _TRACE_MM2
    blood = fraction >= MIN_FRACTION
    area = float(np.count_nonzero(blood)) * pixel_mm2
    if not area:
        return Finding(0.0, float("nan"), 0.0, trace)
    measured = blood & (depth > _BONE_MARGIN_MM)
    if not measured.any():  # a film on the bone has no density of its own
        return Finding(area, float("nan"), 0.0, trace)
    around = tissue & ndimage.binary_dilation(blood, iterations=7)
    around = around if around.any() else tissue
    level = float(hu[around].mean()) if around.any() else 33.0
    return Finding(
        area, float(hu[measured].mean()), _contrast(hu, measured, level) / noise_hu, trace
    )


def _contrast(hu: Field, blood: Mask, level: float) -> float:
    """Largest mean contrast of the upper or the lower half of the blood.

    Halves, because a fluid level with serum above and cells below averages to the tissue between.
    """
    rows = np.nonzero(blood)[0]
    upper = rows <= np.median(rows)
    values = hu[blood]
    halves = [values[upper], values[~upper]]
    return max(abs(float(half.mean()) - level) for half in halves if half.size)
