"""Inconsistencies: contradictions inside the published figures, each computed from the figures.

`published` and `printed` (what the papers say) -> one function each -> statement and the numbers
behind it. The list is that of spec/evaluation.md section 3, in its order. It judges printed
numbers only; why they disagree is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from statistics import fmean

from model_build import printed, published
from model_build.published import CONV_LSTM, EPOCHS, Rates
from service.types import LABELS

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Inconsistency:
    """One contradiction: a sentence, and the computed figures it rests on by name."""

    statement: str
    figures: Mapping[str, float]


def prevalence_from_accuracy(rates: Rates) -> float:
    """Share of positives, 0..1, that makes the accuracy follow from sensitivity, specificity."""
    return (rates.specificity - rates.accuracy) / (rates.specificity - rates.sensitivity)


def prevalence_from_precision(rates: Rates) -> float:
    """Share of positives, 0..1, that makes the precision follow from them (Bayes)."""
    odds = (rates.precision * (100 - rates.specificity)) / (
        rates.sensitivity * (100 - rates.precision)
    )
    return odds / (1 + odds)


def _slashed(rates: Rates) -> str:
    return "/".join(f"{value:.2f}" for value in astuple(rates))


def headline() -> Inconsistency:
    """1: the figure of the abstract is no row and no mean of the table by epoch."""
    columns = zip(*map(astuple, EPOCHS.values()), strict=True)
    mean = Rates(*(fmean(column) for column in columns))
    matching = sum(rates == CONV_LSTM.rates for rates in EPOCHS.values())
    statement = (
        f"Abstract, Table 7 and conclusion give {_slashed(CONV_LSTM.rates)} "
        f"(sens/spec/prec/acc); Table 5 gives {_slashed(EPOCHS[500])} at 500 epochs. "
        f"Table 7 equals {matching} rows of Table 5 and not their mean ({_slashed(mean)})."
    )
    names = ("mean_sensitivity", "mean_specificity", "mean_precision", "mean_accuracy")
    figures = dict(zip(names, astuple(mean), strict=True))
    return Inconsistency(statement, {**figures, "matching_rows": matching})


def accuracy_at_500() -> Inconsistency:
    """2: the text takes the accuracy of another epoch."""
    said, table = printed.ACCURACY_AT_500, EPOCHS[500].accuracy
    source = next(epoch for epoch, rates in EPOCHS.items() if rates.accuracy == said)
    statement = (
        f"The text gives accuracy {said:.2f} for 500 epochs; Table 5 says {table:.2f} "
        f"({said:.2f} is its value at {source} epochs)."
    )
    return Inconsistency(statement, {"text": said, "table": table, "epoch_of_text": source})


def accuracy_above_both() -> Inconsistency:
    """3: accuracy is a mean of sensitivity and specificity, so it cannot exceed both."""
    rows = {f"epoch {epoch}": rates for epoch, rates in EPOCHS.items()}
    rows["U-Net"] = published.U_NET.rates
    above = {
        name: rates
        for name, rates in rows.items()
        if rates.accuracy > max(rates.sensitivity, rates.specificity)
    }
    listed = "; ".join(
        f"{name}: {rates.accuracy:.2f} > {max(rates.sensitivity, rates.specificity):.2f}"
        for name, rates in above.items()
    )
    statement = (
        f"Accuracy lies above both sensitivity and specificity ({listed}): impossible for one "
        "confusion matrix, possible only as an average over labels."
    )
    return Inconsistency(statement, {name: rates.accuracy for name, rates in above.items()})


def implied_prevalence() -> Inconsistency:
    """4: accuracy and precision each imply a share of positives, and they differ."""
    rows = {
        "Conv-LSTM": CONV_LSTM.rates,
        "epoch 500": EPOCHS[500],
        "ResNeXt": published.RESNEXT.rates,
    }
    figures: dict[str, float] = {}
    parts = []
    for name, rates in rows.items():
        pair = 100 * prevalence_from_accuracy(rates), 100 * prevalence_from_precision(rates)
        figures |= {f"{name} from accuracy": pair[0], f"{name} from precision": pair[1]}
        parts.append(f"{name} {pair[0]:.1f} % from accuracy, {pair[1]:.1f} % from precision")
    statement = (
        f"The implied prevalence depends on the number used: {'; '.join(parts)}. "
        "The columns cannot come from one test set and one averaging."
    )
    return Inconsistency(statement, figures)


def auroc_below_operating_point() -> Inconsistency:
    """5: a concave ROC through the printed operating point has a larger area than printed."""
    sensitivity, specificity = CONV_LSTM.rates.sensitivity, CONV_LSTM.rates.specificity
    mean = fmean(published.AUROC.values())
    concave, least = (sensitivity + specificity) / 2, sensitivity * specificity / 100
    gaps = {label: abs(published.AUROC[label] - CONV_LSTM.f1[label]) for label in LABELS}
    equal = [label for label, gap in gaps.items() if gap == 0]
    statement = (
        f"Mean AUC {mean:.2f} is below (sens + spec)/2 = {concave:.2f}, the least area of a "
        f"concave ROC through that point (a non-concave one: {least:.1f}). AUC and F1 differ by "
        f"at most {max(gaps.values()):.2f} points and are equal for {', '.join(equal)}: the AUC "
        "was probably computed on thresholded predictions."
    )
    subtypes = [value for label, value in published.AUROC.items() if label != "any"]
    figures = {"mean_auc": mean, "mean_auc_subtypes": fmean(subtypes), "concave": concave}
    return Inconsistency(
        statement, figures | {"least": least, "largest_gap_to_f1": max(gaps.values())}
    )


def many_hemorrhages() -> Inconsistency:
    """6: a count of surplus labels is read as the size of a file."""
    counts = published.FILES_PER_LABEL
    labels = sum(count for label, count in counts.items() if label != "any")
    excess = labels - counts["any"]
    several = sum(n for subtypes, n in published.FILES_BY_SUBTYPES.items() if subtypes > 1)
    statement = (
        f'"The {printed.FILE_WITH_MANY:,}-byte file has many hemorrhages": {excess:,} is the '
        f"excess label count ({labels:,} - {counts['any']:,}); files with at least two subtypes "
        f"are {several:,}."
    )
    return Inconsistency(statement, {"excess": excess, "labels": labels, "several": several})


def u_net_rank() -> Inconsistency:
    """7: the U-Net has two precisions, and ranks above a system with a higher sensitivity."""
    rates, other = published.U_NET.rates, published.WA_ANN.rates
    statement = (
        f"U-Net precision is {rates.precision:.2f} in Table 7 and {printed.U_NET_PRECISION:.2f} in "
        f"the text; its sensitivity {rates.sensitivity:.2f} is below that of WA-ANN "
        f"({other.sensitivity:.2f}) although the text ranks U-Net higher."
    )
    difference = rates.sensitivity - other.sensitivity
    return Inconsistency(
        statement,
        {"table": rates.precision, "text": printed.U_NET_PRECISION, "sensitivity_gap": difference},
    )


def wrong_references() -> Inconsistency:
    """8: a wrong table number, a misspelt label and a miscounted network."""
    statement = (
        f'"All window settings mentioned in Table {printed.WINDOW_TABLE_CITED}" are in Table '
        f'{printed.WINDOW_TABLE}; "{printed.SUBDURAL_MISPRINT}" in Table 2 is '
        f"{printed.SUBDURAL_CODE}; {printed.CONVOLUTIONAL_UNITS} of {printed.UNITS} units are "
        f"called convolutional, {printed.UNITS_DESCRIBED} are described."
    )
    surplus = printed.UNITS_DESCRIBED - printed.CONVOLUTIONAL_UNITS
    return Inconsistency(statement, {"units_not_counted": surplus})


def foreign_passages() -> Inconsistency:
    """9: shares that no test set of this size can give, and sentences of another study."""
    test = published.SPLIT_SLICES["test"]
    figures = {
        f"{part}/{whole} of the test set": test * part / whole
        for part, whole in printed.PATIENT_SHARES
    }
    counts = " and ".join(f"{value:,.1f}" for value in figures.values())
    quoted = " and ".join(f'"{part} out of {whole}"' for part, whole in printed.PATIENT_SHARES)
    low, high = printed.CLAIMED_GAIN
    statement = (
        f'Section 5.4: EPD and ITV are found "most and least efficiently", then both "much '
        f'poorer"; {quoted} of {test:,} images would be {counts} images; "individual ResNets", '
        f'"external learning classifier" and "primary ROI extraction" belong to another study; '
        f'Table 6 has no baseline for the claimed "{low}-{high} %" gains.'
    )
    return Inconsistency(statement, figures)


def slices_called_scans() -> Inconsistency:
    """10: slices are counted as scans and no split by patient is mentioned."""
    scans, per_study = published.SPLIT_SLICES["train"], published.KAGGLE_FILES / printed.STUDIES
    statement = (
        f'"CT scans" ({scans:,}) are slices; no patient-level split is mentioned (leakage risk: '
        f"about {per_study:.0f} near-identical slices per study)."
    )
    return Inconsistency(statement, {"slices": scans, "slices_per_study": per_study})


def hardware() -> Inconsistency:
    """11: the arithmetic of the training does not fit on the computer named for it."""
    slices = published.SPLIT_SLICES["train"] * printed.EPOCHS
    work = printed.FORWARD_AND_BACKWARD * printed.FORWARD_FLOP * slices
    days = work / printed.HOST_FLOP_PER_S / SECONDS_PER_DAY
    statement = (
        f"Hardware: {printed.EPOCHS} epochs are {work:.2e} floating-point operations, "
        f"{days:.0f} days at {printed.HOST_FLOP_PER_S / 1e9:.0f} GFLOP/s on the PC named."
    )
    return Inconsistency(statement, {"operations": work, "days": days})


PAPER: tuple[Callable[[], Inconsistency], ...] = (
    headline,
    accuracy_at_500,
    accuracy_above_both,
    implied_prevalence,
    auroc_below_operating_point,
    many_hemorrhages,
    u_net_rank,
    wrong_references,
    foreign_passages,
    slices_called_scans,
    hardware,
)
