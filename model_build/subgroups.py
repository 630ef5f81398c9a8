"""Subgroups: how well a model finds lesions of each size and contrast, in each kind of scan.

p, labels, thresholds + Truth -> `lesion_tables`   sensitivity by volume and by contrast-to-noise
                              -> `lesion_curves`   the same in equal steps, for plots
                              -> `scan_tables`     AUROC, sensitivity, specificity by factor

Phantoms know these exactly, which no labelled patient data do; sensitivity is driven by lesion
volume (evaluation spec sections 10 and 12). A group without a slice is left null, with its n.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from model_build import intervals, metrics
from model_build.evaluation_rows import figures_of, patients_behind
from model_build.evaluation_table import Row, Table
from model_build.intervals import Resampling
from model_build.metrics import BoolArray, FloatArray
from model_build.reliability import Curve
from model_build.truth import Truth
from service.types import LABELS

# Steps are [a, b); the volumes are those by which cleared devices report.
VOLUME_ML = (0.0, 1.0, 5.0, 25.0, np.inf)
CNR = (0.0, 2.0, 4.0, 8.0, np.inf)
CURVE_POINTS = 8
# Limits of the numeric factors; every other one is grouped by its text.
FACTOR_STEPS: Mapping[str, tuple[float, ...]] = {
    "thickness_mm": (0.0, 3.0, 6.0, np.inf),
    "noise_hu": (0.0, 3.0, 5.0, 8.0, np.inf),
    "age": (0.0, 40.0, 60.0, 80.0, np.inf),
    "tilt_deg": (-np.inf, -5.0, 5.0, np.inf),
    "slice_level": (0.0, 1 / 3, 2 / 3, np.inf),
    "atrophy": (0.0, 1 / 3, 2 / 3, np.inf),
}
MOST_TEXTS = 12  # a column with more different texts is no factor
SENSITIVITY, FACTOR_COLUMNS = ("sensitivity",), ("auroc", "sensitivity", "specificity")
ANY = LABELS.index("any")


def lesion_tables(
    probabilities: FloatArray,
    labels: npt.NDArray[np.integer],
    thresholds: Sequence[float],
    truth: Truth,
    resampling: Resampling,
) -> tuple[Table, ...]:
    """Sensitivity of every label in steps of lesion volume and of contrast-to-noise.

    Args:
        probabilities: (N, 6).
        labels: (N, 6), 0 or 1; only positive slices count.
        thresholds: six, at which a slice is called.
        truth: of the same N slices.
        resampling: of the same N slices.
    """
    tables = []
    for title, values, limits, unit in (
        ("volume of the lesion", truth.volume_ml, VOLUME_ML, " mL"),
        ("contrast-to-noise ratio", truth.cnr, CNR, ""),
    ):
        rows = []
        for k, label in enumerate(LABELS):
            called = probabilities[:, k] >= thresholds[k]
            for name, inside in _steps(values[:, k], limits, unit):
                chosen = inside & (labels[:, k] > 0)
                rows.append(_sensitivity(f"{label}, {name}", chosen, called, resampling))
        tables.append(Table(f"Sensitivity by {title} (%)", SENSITIVITY, tuple(rows)))
    return tuple(tables)


def lesion_curves(
    probabilities: FloatArray,
    labels: npt.NDArray[np.integer],
    thresholds: Sequence[float],
    truth: Truth,
    resampling: Resampling,
) -> tuple[Curve, ...]:
    """Sensitivity against volume and contrast in groups of equally many positive slices.

    Arguments as for `lesion_tables`; x is the median of the group.
    """
    curves = []
    for kind, values in (("volume_ml", truth.volume_ml), ("cnr", truth.cnr)):
        for k, label in enumerate(LABELS):
            present = np.flatnonzero(labels[:, k] > 0)
            order = present[np.argsort(values[present, k], kind="stable")]
            groups = [part for part in np.array_split(order, CURVE_POINTS) if len(part)]
            called = probabilities[:, k] >= thresholds[k]
            found = []
            for part in groups:
                chosen = np.zeros(len(called), dtype=np.bool_)
                chosen[part] = True
                found.append(_sensitivity("", chosen, called, resampling).figures["sensitivity"])
            curves.append(
                Curve(
                    kind=f"sensitivity by {kind}",
                    label=label,
                    x=tuple(float(np.median(values[part, k])) for part in groups),
                    y=tuple(figure.value for figure in found),
                    low=tuple(figure.low for figure in found),
                    high=tuple(figure.high for figure in found),
                    slices=tuple(len(part) for part in groups),
                )
            )
    return tuple(curves)


def scan_tables(
    probabilities: FloatArray,
    labels: npt.NDArray[np.integer],
    thresholds: Sequence[float],
    truth: Truth,
    resampling: Resampling,
) -> tuple[Table, ...]:
    """AUROC, sensitivity and specificity of `any` in the groups of every factor of the truth.

    Arguments as for `lesion_tables`. A factor whose slices are all in one group tells nothing and
    is left out.
    """
    scores, present = probabilities[:, ANY], labels[:, ANY]
    called = metrics.outcomes(scores[:, None], present[:, None], (thresholds[ANY],))[:, 0]
    tables = []
    for factor, values in truth.factors.items():
        groups = _groups(factor, values)
        if sum(bool(inside.any()) for _, inside in groups) < 2:
            continue
        rows = [
            _group_row(name, inside, scores, present, called, resampling) for name, inside in groups
        ]
        tables.append(Table(f"`any` by {factor}", FACTOR_COLUMNS, tuple(rows)))
    return tuple(tables)


def _group_row(
    name: str,
    inside: BoolArray,
    scores: FloatArray,
    present: npt.NDArray[np.integer],
    called: BoolArray,
    resampling: Resampling,
) -> Row:
    """AUROC and rates within one group of slices."""
    rows = np.flatnonzero(inside)
    if not len(rows):
        nothing = figures_of(FACTOR_COLUMNS, np.full(3, np.nan), np.full((1, 3), np.nan))
        return Row(name, nothing, 0, slices=0)
    part = Resampling(resampling.draws, resampling.patient_of_slice[rows])
    area = metrics.auroc(scores[rows], present[rows])
    drawn = metrics.rates(intervals.sum_replicates(called[rows], part))[:, :2]
    areas = intervals.ranking_replicates(scores[rows], present[rows], part)[0]
    values = [np.nan if area is None else area, *metrics.rates(called[rows].sum(axis=0))[:2]]
    figures = {
        **figures_of(FACTOR_COLUMNS[:1], np.array(values[:1]), areas[:, None]),
        **figures_of(
            FACTOR_COLUMNS[1:],
            np.array(values[1:]),
            drawn,
            patients_behind(intervals.per_patient(called[rows], part)),
        ),
    }
    return Row(name, figures, int(present[rows].sum()), slices=len(rows))


def _sensitivity(name: str, chosen: BoolArray, called: BoolArray, resampling: Resampling) -> Row:
    """The share of the chosen positive slices that is called."""
    marks = np.stack([chosen & called, *(np.zeros_like(chosen),) * 2, chosen & ~called], axis=-1)
    found = metrics.rates(marks.sum(axis=0))[:1]
    drawn = metrics.rates(intervals.sum_replicates(marks, resampling))[:, :1]
    behind = patients_behind(intervals.per_patient(marks, resampling))
    return Row(name, figures_of(SENSITIVITY, found, drawn, behind), int(chosen.sum()))


def _groups(factor: str, values: npt.NDArray[np.str_]) -> list[tuple[str, BoolArray]]:
    if factor in FACTOR_STEPS:
        return list(_steps(values.astype(np.float64), FACTOR_STEPS[factor], ""))
    texts = np.unique(values)
    return [(str(text), values == text) for text in texts] if len(texts) <= MOST_TEXTS else []


def _steps(values: FloatArray, limits: Sequence[float], unit: str) -> list[tuple[str, BoolArray]]:
    """The slices in each step [a, b) of some limits, with a name like "1 to 5 mL"."""
    steps = []
    for low, high in itertools.pairwise(limits):
        name = f"{low:.3g} to {high:.3g}{unit}"
        if low in (0.0, -np.inf):
            name = f"below {high:.3g}{unit}"
        elif high == np.inf:
            name = f"{low:.3g}{unit} and more"
        steps.append((name, (values >= low) & (values < high)))
    return steps
