"""Operating: the three operating points of each label, chosen on validation slices, then frozen.

rule_out   sensitivity >= 0.95 and its Wilson lower bound >= 0.90: what is below is likely empty
balanced   largest Youden index (`calibrate.choose_thresholds`); the threshold that is served
rule_in    PPV >= 0.8 if one slice in ten were positive: what is above is likely a hemorrhage

From evaluation spec section 6. The Wilson bound counts slices; slices of one patient are alike, so
it is optimistic, and the report gives the patient bootstrap of the test split beside it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model_build import intervals, metrics
from model_build.calibrate import choose_thresholds, cuts_between, share_at_least
from model_build.evaluation_rows import figures_of, patients_behind
from model_build.evaluation_table import Estimate, Row, Table
from model_build.intervals import Resampling
from model_build.metrics import BoolArray, FloatArray
from service.artifact import OPERATING_POINTS
from service.types import LABELS

RULE_OUT_SENSITIVITY, RULE_OUT_LOWER = 0.95, 0.90
RULE_IN_PPV, RULE_IN_PREVALENCE = 0.80, 0.10

Points = dict[str, tuple[float | None, ...]]


def choose(probabilities: FloatArray, labels: npt.NDArray[np.integer]) -> Points:
    """The thresholds of `artifact.OPERATING_POINTS`, six each; None where none reaches the aim.

    Args:
        probabilities: (N, L), calibrated, of validation slices.
        labels: (N, L), 0 or 1.
    """
    columns = [(probabilities[:, k], labels[:, k] > 0) for k in range(probabilities.shape[1])]
    return {
        "rule_out": tuple(_rule_out(*column) for column in columns),
        "balanced": choose_thresholds(probabilities, labels),
        "rule_in": tuple(_rule_in(*column) for column in columns),
    }


def table(
    probabilities: FloatArray,
    labels: npt.NDArray[np.integer],
    points: Points,
    resampling: Resampling,
) -> Table:
    """Sensitivity and specificity of test slices at rule_out and rule_in; NaN becomes undefined.

    The balanced point has the report's own table.
    """
    columns = metrics.RATES[:2]
    rows = []
    for name in (point for point in OPERATING_POINTS if point != "balanced"):
        for k, label in enumerate(LABELS):
            cut = points[name][k]
            if cut is None:
                undefined = dict.fromkeys(columns, Estimate(None))
                rows.append(Row(f"{name}: {label}", undefined, int(labels[:, k].sum())))
                continue
            marks = metrics.outcomes(probabilities[:, [k]], labels[:, [k]], (cut,))[:, 0]
            drawn = metrics.rates(intervals.sum_replicates(marks, resampling))[:, :2]
            behind = patients_behind(intervals.per_patient(marks, resampling))
            found = metrics.rates(marks.sum(axis=0))[:2]
            figures = figures_of(columns, found, drawn, behind)
            rows.append(Row(f"{name}: {label}", figures, int(labels[:, k].sum()), cut))
    return Table("At rule_out and rule_in, chosen on validation (%)", columns, tuple(rows))


def _rule_out(scores: FloatArray, present: BoolArray) -> float | None:
    """The highest cut that still finds enough; None when only calling everything would."""
    cuts = cuts_between(scores)
    if present.all() or not present.any() or not len(cuts):
        return None
    positives = int(present.sum())
    sensitivity = share_at_least(scores[present], cuts)
    lower = np.array([intervals.wilson(s * positives, positives).low for s in sensitivity])
    useful = share_at_least(scores[~present], cuts) < 1.0
    reached = (sensitivity >= RULE_OUT_SENSITIVITY) & (lower >= RULE_OUT_LOWER) & useful
    return float(cuts[reached][-1]) if reached.any() else None


def _rule_in(scores: FloatArray, present: BoolArray) -> float | None:
    """The lowest cut whose alarms are true often enough, so that it finds the most."""
    cuts = cuts_between(scores)
    if present.all() or not present.any() or not len(cuts):
        return None
    sensitivity = share_at_least(scores[present], cuts)
    specificity = 1.0 - share_at_least(scores[~present], cuts)
    ppv = metrics.projected_ppv(sensitivity, specificity, RULE_IN_PREVALENCE)
    reached = (sensitivity > 0.0) & (ppv >= RULE_IN_PPV)
    return float(cuts[reached][0]) if reached.any() else None
