"""Companion inconsistencies: contradictions in the figures of the other studies, computed.

Numbers 12 to 14 of spec/evaluation.md section 3; `everything` is the whole list.
"""

from __future__ import annotations

from model_build import base_rates, printed, published
from model_build.inconsistencies import PAPER, Inconsistency
from model_build.intervals import clopper_pearson
from model_build.metrics import ConfusionMetrics
from model_build.printed import Counts


def opposite_errors() -> Inconsistency:
    """12: printed counts and printed rates of the 20 test images do not belong together."""
    counted = _percent(printed.TABLE_1_EPOCH_24)
    swapped = _percent(Counts(tp=10, fp=1, tn=9, fn=0))
    sharath = _percent(printed.SHARATH)
    rows = {epoch: (said, _percent(c)["f1"]) for epoch, (said, c) in printed.TABLE_2_F1.items()}
    best = _percent(printed.TABLE_2_F1[12][1])["precision"]
    step = 100 / printed.IMAGES
    accuracy = round(printed.TABLE_2_ACCURACY_24 / step) * step
    corrected = "; ".join(f"epoch {e} F1 {a:.2f} -> {b:.2f}" for e, (a, b) in rows.items())
    bhcnet = next(row for row in published.COMPANIONS if row.name == "BHCNet")
    lstm = [row.accuracy or 0.0 for row in published.COMPANIONS if row.name == "CNN+LSTM"]
    statement = (
        f"Anjum & Oberoi: Table 1, epoch 24 prints FP=0, FN=1, which gives precision "
        f"{counted['precision']:.0f} and sensitivity {counted['sensitivity']:.0f}, with the "
        f"metrics of FP=1, FN=0 ({swapped['precision']:.2f} and {swapped['sensitivity']:.0f}). "
        f"Sharath et al. print the counts of sensitivity {sharath['sensitivity']:.0f}, precision "
        f'{sharath["precision"]:.0f} for the same "{sharath["accuracy"]:.0f} %": opposite errors. '
        f"Table 2: {corrected}; epoch 12 precision {printed.TABLE_2_PRECISION_12} -> {best:.0f}; "
        f"epoch 24 accuracy {printed.TABLE_2_ACCURACY_24} -> {accuracy:.1f}. The conclusion "
        f"credits CNN+LSTM (at most {max(lstm):.0f} %) with BHCNet's {bhcnet.accuracy:.0f} %."
    )
    figures = {f"epoch {epoch} f1": value for epoch, (_, value) in rows.items()}
    figures |= {"precision_of_counts": counted["precision"], "accuracy_24": accuracy}
    figures |= {"precision_printed": swapped["precision"], "f1_printed": swapped["f1"]}
    return Inconsistency(statement, figures | {"sharath_sensitivity": sharath["sensitivity"]})


def twenty_images() -> Inconsistency:
    """13: what a perfect or nearly perfect result on so few images is worth."""
    shares = ((20, 20), (10, 10), (19, 20))
    figures: dict[str, float] = {}
    parts = []
    for hits, trials in shares:
        ends = clopper_pearson(hits, trials)
        low, high = 100 * ends.low, 100 * ends.high
        figures |= {f"{hits}/{trials} low": low, f"{hits}/{trials} high": high}
        parts.append(f"{hits}/{trials}: {low:.1f}-{high:.1f} %")
    statement = (
        f"With {printed.IMAGES} test images the 95 % intervals (Clopper-Pearson) are wide "
        f"({'; '.join(parts)}). Choosing the epoch on these images is test-set tuning."
    )
    return Inconsistency(statement, figures)


def chance_level() -> Inconsistency:
    """14: an accuracy that a constant answer reaches, and rates of another prevalence."""
    negative = 100 * (1 - base_rates.natural()["any"])
    cnn, *_, xception = (row for row in published.COMPANIONS if row.study == published.KUMAR)
    share = implied_share(
        xception.precision or 0, xception.sensitivity or 0, xception.accuracy or 0
    )
    statement = (
        f"Kumar 2021 counts {printed.KUMAR_IMAGES:,} images, Kaggle {published.KAGGLE_FILES:,}; "
        f"always-negative on `any` is {negative:.2f} % accurate, so the CNN's {cnn.accuracy:.0f} % "
        f"is chance level; precision and recall of {xception.precision:.0f} % with accuracy "
        f"{xception.accuracy:.0f} % imply {100 * share:.0f} % positives, not "
        f"{100 - negative:.1f} %; the test labels of the competition are not public; Fig. 12 "
        f"calls p = {printed.KUMAR_DETECTION} a detection."
    )
    surplus = printed.KUMAR_IMAGES - published.KAGGLE_FILES
    return Inconsistency(
        statement,
        {"always_negative": negative, "implied_positives": 100 * share, "surplus_images": surplus},
    )


def implied_share(precision: float, recall: float, accuracy: float) -> float:
    """Share of positives, 0..1, at which these rates (percent) belong to one confusion matrix.

    Of P positives FN = P (1 - recall) and FP = P recall (1 / precision - 1); all errors together
    are 1 - accuracy.
    """
    errors_per_positive = (1 - recall / 100) + recall / 100 * (100 / precision - 1)
    return (1 - accuracy / 100) / errors_per_positive


def everything() -> tuple[Inconsistency, ...]:
    """The fourteen inconsistencies, in the order of the specification."""
    functions = (*PAPER, opposite_errors, twenty_images, chance_level)
    return tuple(function() for function in functions)


def _percent(counts: Counts) -> dict[str, float]:
    """The rates of one matrix in percent; every denominator of ours is positive."""
    found = ConfusionMetrics.from_counts(counts.tp, counts.fp, counts.tn, counts.fn)
    names = ("accuracy", "precision", "sensitivity", "f1")
    return {name: 100 * float(getattr(found, name)) for name in names}
