"""Networks: our own tables, one row per trained network or label; nothing claimed in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model_build import published
from model_build.evaluation_rows import MACRO_ALL, MACRO_SUBTYPES
from model_build.evaluation_table import Estimate
from model_build.evaluation_tables import PREVALENCES
from model_build.metrics import confusion_per_label
from model_build.report.grid import (
    MEASURED,
    NOT_STATED,
    Cell,
    Column,
    Grid,
    Group,
    Line,
    claimed,
    measured,
)
from model_build.report.run_folder import Run
from service.types import LABELS

OUTCOMES = ("TP", "FP", "TN", "FN")


def budgets(runs: Sequence[Run]) -> Grid:
    """How big each network is, how it began and how much it was trained."""
    lines = tuple(Line(run.name, _budget(run)) for run in runs)
    titles = ("network", "initialisation", "seconds by stage", "hardware")
    text = [Column(title, "text") for title in titles]
    whole = [Column("parameters", "whole"), Column("slices seen", "whole")]
    columns = (text[0], whole[0], text[1], whole[1], *text[2:])
    return Grid("Size and training budget", (Group("from the run folders", columns),), lines)


def _budget(run: Run) -> tuple[Cell, ...]:
    training = run.training
    seconds, hardware = training.get("seconds"), training.get("hardware")
    return (
        run.network,
        run.parameters,
        str(training.get("initialisation") or NOT_STATED),
        training.get("slices_seen", NOT_STATED),
        _words(seconds) if seconds else NOT_STATED,
        _words(hardware) if hardware else NOT_STATED,
    )


def _words(facts: Any) -> str:  # noqa: ANN401
    if isinstance(facts, Mapping):
        return ", ".join(f"{key} {value}" for key, value in facts.items())
    return str(facts)


def discrimination(runs: Sequence[Run]) -> Grid:
    """AUROC per label of every network."""
    rows = (*LABELS, MACRO_ALL, MACRO_SUBTYPES)
    lines = tuple(
        Line(run.name, tuple(run.figure("discrimination", row, "auroc") for row in rows))
        for run in runs
    )
    return Grid("AUROC of every network", (measured(rows, "three"),), lines)


def losses(runs: Sequence[Run]) -> Grid:
    """Weighted log loss, Brier score, calibration error and average precision."""
    columns = ("log_loss", "brier", "ece", "average_precision")
    lines = tuple(
        Line(
            run.name,
            (
                run.challenge_loss,
                *(run.figure("discrimination", MACRO_ALL, column) for column in columns),
            ),
        )
        for run in runs
    )
    titles = ("weighted log loss", "log loss", "Brier", "ECE", "average precision")
    note = "All but the weighted log loss (any counts twice): macro over six labels."
    return Grid("Probabilities of every network", (measured(titles, "four"),), lines, note)


def confusion(run: Run) -> Grid:
    """Counts at the operating thresholds, by label, with the rates that follow."""
    scores, thresholds = run.scores, run.manifest.thresholds
    found = confusion_per_label(scores.probabilities, scores.labels, thresholds)
    rates = ("sensitivity", "specificity", "precision", "f1")
    lines = tuple(
        Line(label, (threshold, counts.tp, counts.fp, counts.tn, counts.fn, *ours))
        for label, threshold, counts in zip(LABELS, thresholds, found, strict=True)
        for ours in [[run.figure("at_thresholds", label, rate) for rate in rates]]
    )
    columns = [Column("threshold", "three"), *(Column(name, "whole") for name in OUTCOMES)]
    columns += [Column(name) for name in ("sens %", "spec %", "PPV %", "F1 %")]
    title = f"Confusion of {run.name} at its thresholds, slices"
    note = f"Counts of slices as sampled. {weighing(run)}"
    return Grid(title, (Group(MEASURED, tuple(columns)),), lines, note)


def weighing(run: Run) -> str:
    """To what prevalence the figures of a run that depend on it were weighed."""
    share = run.assumed_prevalence
    if share is None:
        return "Precision and F1: at the prevalence of the test split itself."
    return f"Precision and F1: weighed to {100 * share:.1f} % positive slices (any)."


def predictive_values(runs: Sequence[Run]) -> Grid:
    """PPV of `any` at the operating threshold, projected to usual prevalences."""
    lines = tuple(
        Line(run.name, tuple(run.figure("ppv_at_prevalence", "any", name) for name in PREVALENCES))
        for run in runs
    )
    note = "PPV that sensitivity and specificity of any at its threshold would give (Bayes)."
    return Grid("PPV by prevalence (%)", (measured(tuple(PREVALENCES)),), lines, note)


def data(run: Run) -> Grid:
    """The paper's file counts beside the slices of our sets."""
    total = published.FILES_PER_LABEL["any"] + published.NEGATIVE_FILES
    splits = ("train", "val", "test")
    positives, sizes = run.training.get("positives", {}), run.training.get("slices", {})
    lines = [
        Line(
            label,
            (count, count / total, *(positives.get(split, {}).get(label) for split in splits)),
        )
        for label, count in published.FILES_PER_LABEL.items()
    ]
    lines.append(Line("all slices", (total, None, *(sizes.get(split) for split in splits))))
    theirs = claimed(["files"], "whole", published.PAPER)
    theirs = Group(theirs.heading, (*theirs.columns, Column("share %")), True)
    return Grid(
        "Tables 1-3: positive slices",
        (theirs, Group("this data set", tuple(Column(s, "whole") for s in splits))),
        tuple(lines),
    )


def always_negative(run: Run) -> float:
    """Mean per-label accuracy, 0..1, on this test split of a predictor that never finds any."""
    return float(1.0 - np.mean(run.scores.labels))


def ablations(content: Mapping[str, Any] | None) -> Grid | None:
    """The table of the ablation runs, from the JSON form of an evaluation table.

    Args:
        content: title, columns, rows (name, figures by column: value, low, high, method); None
            where no ablation was run.

    Raises:
        ValueError: it has another form.
    """
    if content is None:
        return None
    try:
        columns = tuple(map(str, content["columns"]))
        lines = tuple(
            Line(str(row["name"]), tuple(_cell(row["figures"].get(name)) for name in columns))
            for row in content["rows"]
        )
        title, note = str(content.get("title", "Ablations")), str(content.get("note", ""))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("the ablations have no columns and rows of figures") from error
    return Grid(title, (measured(columns, "three"),), lines, note)


def _cell(value: Any) -> Cell:  # noqa: ANN401
    return Estimate(**value) if isinstance(value, Mapping) else value
