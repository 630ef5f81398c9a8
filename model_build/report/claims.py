"""Claims: the papers' comparison tables, each with a measured column beside the claimed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from statistics import fmean
from typing import Any

from model_build import published
from model_build.evaluation_rows import MACRO_ALL, MACRO_SUBTYPES
from model_build.evaluation_table import Estimate
from model_build.intervals import clopper_pearson
from model_build.published import Companion
from model_build.report.grid import NOT_BUILT, Cell, Column, Grid, Group, Line, claimed, measured
from model_build.report.run_folder import Run
from service.types import LABELS

RATES = ("sensitivity", "specificity", "precision", "accuracy")
SHORT = ("sens", "spec", "prec", "acc")
COMPANION_RATES = ("accuracy", "precision", "sensitivity", "specificity", "f1")
AT_HALF = "at_half"
OVERLAP = ("dice", "jaccard", "pooled_dice", "pooled_jaccard")
HALF_POSITIVE = "At threshold 0.5 where half of the slices are positive"  # title of a table
AS_ASSUMED, AS_SUBSET = "at the prevalence assumed", "where half of the slices are positive"
# The field's abbreviations of the labels, in their order: twelve columns have to fit a page.
SHORT_LABELS = ("EDH", "IPH", "IVH", "SAH", "SDH", "any")
NOT_TRAINED = "not trained"
RATES_NOTE = (
    "Measured: threshold 0.5, macro over six labels; undefined where some label was never called. "
    "The paper names neither threshold nor averaging; its subset implies about half positives."
)

Runs = Mapping[str, Run]  # by the name of the network


def paper_tables(runs: Runs) -> tuple[Grid, ...]:
    """Tables 5 to 8 of the paper and the companions' table; runs by network name."""
    places = {AS_ASSUMED: AT_HALF}
    if any(run.has(HALF_POSITIVE) for run in runs.values()):
        places[AS_SUBSET] = HALF_POSITIVE
    by_label_tables = (by_f1(runs, where, table) for where, table in places.items())
    return (
        by_epoch(runs, places),
        by_label(runs),
        by_system(runs, places),
        *by_label_tables,
        companions(runs),
    )


def by_epoch(runs: Runs, places: Mapping[str, str]) -> Grid:
    """Table 5: the Conv-LSTM along its training; ours is measured once, at its end."""
    absent = (None,) * len(RATES) * len(places)
    lines = [
        Line(f"{epoch} epochs", (*astuple(rates), *absent))
        for epoch, rates in published.EPOCHS.items()
    ]
    cells = _measured_cells(runs, "conv_lstm", RATES, places)
    lines.append(Line("end of our training", ((None,) * len(RATES) + cells)))
    title = "Table 5: Conv-LSTM by epoch (%)"
    return Grid(title, _rate_groups(places), tuple(lines), RATES_NOTE)


def by_label(runs: Runs) -> Grid:
    """Table 6: area under the ROC curve of the Conv-LSTM."""
    run = runs.get("conv_lstm")
    subtypes = [value for label, value in published.AUROC.items() if label != "any"]
    values = {**published.AUROC, MACRO_ALL: fmean(published.AUROC.values())}
    values[MACRO_SUBTYPES] = fmean(subtypes)
    lines = tuple(
        Line(name, (value, run.figure("discrimination", name, "auroc") if run else NOT_TRAINED))
        for name, value in values.items()
    )
    return Grid(
        "Table 6: ROC-AUC of the Conv-LSTM (%)",
        (claimed(["AUC"], study=published.PAPER), measured(["AUC"])),
        lines,
        "Measured from probabilities, not from thresholded predictions.",
    )


def by_system(runs: Runs, places: Mapping[str, str]) -> Grid:
    """Table 7: the systems that the paper compares, then networks that it does not have."""
    lines = [
        Line(
            _beside(system.name, system.network),
            (*astuple(system.rates), *_measured_cells(runs, system.network, RATES, places)),
        )
        for system in published.SYSTEMS
    ]
    named = {system.network for system in published.SYSTEMS}
    lines += [
        Line(name, ((None,) * len(RATES) + _measured_cells(runs, name, RATES, places)))
        for name in runs
        if name not in named
    ]
    return Grid("Table 7: systems (%)", _rate_groups(places), tuple(lines), RATES_NOTE)


def by_f1(runs: Runs, where: str, table: str) -> Grid:
    """Table 8: F1 per label, ours from one table of the evaluation."""
    lines = []
    for system in published.SYSTEMS:
        run = runs.get(system.network)
        ours: tuple[Cell, ...] = (_absent(system.network), *(None,) * (len(LABELS) - 1))
        if run is not None:
            ours = tuple(run.figure(table, label, "f1") for label in LABELS)
        cells = (*(system.f1[label] for label in LABELS), *ours)
        lines.append(Line(_beside(system.name, system.network), cells))
    return Grid(
        f"Table 8: F1 by label (%), ours {where}",
        (claimed(SHORT_LABELS, study=published.PAPER), measured(SHORT_LABELS)),
        tuple(lines),
        "Measured at threshold 0.5. Epidural, intraparenchymal, intraventricular, subarachnoid, "
        "subdural, any.",
    )


def companions(runs: Runs) -> Grid:
    """The other studies; beside a test set of 20 images stands what it can prove."""
    lines = []
    for row in published.COMPANIONS:
        label = "any" if row.study == published.ANJUM else MACRO_ALL
        stated = tuple(getattr(row, name) for name in COMPANION_RATES)
        ours = _measured_cells(runs, row.network, COMPANION_RATES, {AS_ASSUMED: AT_HALF}, label)
        name = f"{row.study}, {row.name}, {row.setting} / {row.network}"
        lines.append(Line(name, (*stated, _accuracy_range(row), *ours)))
    titles = ("acc", "prec", "sens", "spec", "F1")
    theirs = claimed(titles)
    theirs = Group(theirs.heading, (*theirs.columns, Column("95 % CI of acc", "text")), True)
    return Grid(
        "Companion studies (%)",
        (theirs, measured(titles)),
        tuple(lines),
        "Measured at threshold 0.5: any for the binary studies of Anjum & Oberoi, macro over six "
        "labels for the others. The interval (Clopper-Pearson) is of their own 20 test images.",
    )


def segmentation(result: Mapping[str, Any] | None) -> Grid:
    """Dice and Jaccard of the U-Net by type.

    Args:
        result: its result.json, with the table `overlap`; None where it was not trained.

    Raises:
        ValueError: the result holds no such table.
    """
    found: dict[str, tuple[Cell, ...]] = {}
    try:
        for row in () if result is None else result["overlap"]["rows"]:
            found[row["name"]] = tuple(Estimate(**row["figures"][column]) for column in OVERLAP)
    except (KeyError, TypeError) as error:
        raise ValueError("the result of the U-Net has no table of overlap") from error
    absent: tuple[Cell, ...] = (NOT_TRAINED, *(None,) * (len(OVERLAP) - 1))
    lines = tuple(
        Line(label, (published.DICE[label], *found.get(label, absent))) for label in LABELS
    )
    groups = (claimed(["Dice"], study="Hssayeni et al. 2020"), measured(OVERLAP, "three"))
    note = (
        "Claimed: five folds of CT-ICH. Measured on this data set: means over slices, and pooled "
        "over all pixels; rows of subtypes take the slices that show them."
    )
    return Grid("U-Net segmentation", groups, lines, note)


def _accuracy_range(row: Companion) -> str | None:
    if row.images is None or row.accuracy is None:
        return None
    found = clopper_pearson(round(row.accuracy / 100 * row.images), row.images)
    return f"{100 * found.low:.1f}–{100 * found.high:.1f}"


def _rate_groups(places: Mapping[str, str]) -> tuple[Group, ...]:
    return (
        claimed(SHORT, study=published.PAPER),
        *(measured(SHORT, where=where) for where in places),
    )


def _measured_cells(
    runs: Runs,
    network: str,
    columns: Sequence[str],
    places: Mapping[str, str],
    row: str = MACRO_ALL,
) -> tuple[Cell, ...]:
    """Cells of a network from these tables; where there is no run, the first cell says why."""
    run = runs.get(network)
    if run is None:
        return (_absent(network), *(None,) * (len(columns) * len(places) - 1))
    return tuple(run.figure(table, row, column) for table in places.values() for column in columns)


def _absent(network: str) -> str:
    return NOT_TRAINED if network else NOT_BUILT


def _beside(system: str, network: str) -> str:
    return f"{system} / {network}" if network else system


def claims_as_data() -> dict[str, object]:
    """Every claimed figure for the JSON of the report, under its heading."""
    return {
        "heading": published.HEADING,
        "by_epoch": {str(epoch): asdict(rates) for epoch, rates in published.EPOCHS.items()},
        "auroc": dict(published.AUROC),
        "systems": [asdict(system) for system in published.SYSTEMS],
        "companions": [asdict(row) for row in published.COMPANIONS],
        "dice": dict(published.DICE),
        "files_per_label": dict(published.FILES_PER_LABEL),
    }
