"""Evaluation report: the figures of one evaluation as frozen values, JSON and text.

Every figure carries its interval, every table says over what it averages, and what is rendered
opens with what the figures may be taken for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from model_build.metrics import RATES

NOTICE = "Research use only, not a medical device."
JSON_FILE, MARKDOWN_FILE = "evaluation.json", "evaluation.md"
UNDEFINED = "-"
TITLES: dict[str, str] = {
    "npv": "NPV",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "avg precision",
    "log_loss": "log loss",
    "brier": "Brier",
    "ece": "ECE",
    "baseline_auroc": "baseline AUROC",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; `method` names the interval ("" when there is none)."""

    value: float | None
    low: float | None = None
    high: float | None = None
    method: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one label, or of the average that `name` states.

    `positives` is the number of positive slices, None for an average over labels.
    """

    name: str
    figures: Mapping[str, Estimate]
    positives: int | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that share their columns (the keys of their figures)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row:
        """The row of that name.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What is known of one model on one set of slices.

    `any_consistent_share` is the share of slices with p(any) >= every subtype: reported, not
    forced. `against_baseline` is None where no baseline was compared.
    """

    level: str  # "slice" or "series": what one row of the input was
    slices: int
    patients: int
    replicates: int
    seed: int
    any_consistent_share: float
    challenge_loss: Estimate
    discrimination: Table
    at_half: Table
    at_thresholds: Table
    ppv_at_prevalence: Table
    against_baseline: Table | None = None

    def tables(self) -> tuple[Table, ...]:
        """The tables in reading order."""
        rest = (self.at_half, self.at_thresholds, self.ppv_at_prevalence)
        compared = (self.against_baseline,) if self.against_baseline else ()
        return (self.discrimination, *compared, *rest)

    def with_baseline(self, table: Table) -> EvaluationReport:
        """The same report with the comparison to the baseline in it."""
        return replace(self, against_baseline=table)

    def to_json(self) -> str:
        """Readable JSON; undefined figures are null."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"

    def to_table(self) -> str:
        """Text for the terminal: every table in aligned columns."""
        return "\n\n".join(f"{table.title}\n{_aligned(table)}" for table in self.tables())

    def to_markdown(self) -> str:
        """The same tables as GitHub markdown."""
        return "\n\n".join(f"## {table.title}\n\n{_piped(table)}" for table in self.tables())


def clearly_above(comparison: Table) -> dict[str, bool]:
    """Per row of `compare_auroc`: does the whole interval of the difference lie above zero?

    False as well where there is no interval: not shown is not better.
    """
    lows = {row.name: row.figures["difference"].low for row in comparison.rows}
    return {name: low is not None and low > 0.0 for name, low in lows.items()}


def summary(report: EvaluationReport) -> str:
    """One paragraph: what was evaluated, on how much, and the challenge's weighted log loss.

    Where a baseline was compared it says of each label whether the model is clearly above it.
    """
    loss = _text("log_loss", report.challenge_loss)
    share = 100 * report.any_consistent_share
    return (
        f"{report.slices} {report.level} scores of {report.patients} patients. 95 % intervals in "
        f"brackets: bootstrap over patients ({report.replicates} replicates, seed {report.seed}); "
        f"Clopper-Pearson over patients, marked *, where a figure is exactly 0 or 1. "
        f"Weighted log loss (any counts twice) {loss}. "
        f"p(any) is at least every subtype's in {share:.1f} %.{_verdict(report.against_baseline)}"
    )


def render(report: EvaluationReport, data_note: str) -> str:
    """The report for the terminal, under the notice and what the data were.

    Args:
        report: what to print.
        data_note: one sentence on the data, e.g. "Measured on synthetic phantoms.".
    """
    return f"{NOTICE} {data_note}\n{summary(report)}\n\n{report.to_table()}\n"


def save(report: EvaluationReport, folder: Path, data_note: str) -> tuple[Path, Path]:
    """Write `evaluation.json` and `evaluation.md`; both carry notice and data note.

    Returns:
        Their paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = {"notice": NOTICE, "data_note": data_note, **json.loads(report.to_json())}
    head = f"# Evaluation\n\n**{NOTICE} {data_note}**\n\n{summary(report)}\n\n"
    paths = folder / JSON_FILE, folder / MARKDOWN_FILE
    paths[0].write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    paths[1].write_text(head + report.to_markdown() + "\n", encoding="utf-8")
    return paths


def _verdict(comparison: Table | None) -> str:
    if comparison is None:
        return ""
    above = clearly_above(comparison)
    lists = [
        ", ".join(name for name, ok in above.items() if ok is wanted) for wanted in (True, False)
    ]
    yes, no = (names or "none" for names in lists)
    return f" Clearly above the baseline in AUROC: {yes}; not shown to be: {no}."


def _text(column: str, estimate: Estimate) -> str:
    """`value [low, high]`: rates in percent, losses with four decimals, the rest with three."""
    if estimate.value is None:
        return UNDEFINED
    factor, digits = 1.0, 3
    if column in RATES or column.startswith("at "):
        factor, digits = 100.0, 1
    elif column in ("log_loss", "brier", "ece"):
        digits = 4
    text = f"{factor * estimate.value:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return text
    mark = "*" if estimate.method == "Clopper-Pearson" else ""
    ends = f"{factor * estimate.low:.{digits}f}, {factor * estimate.high:.{digits}f}"
    return f"{text} [{ends}]{mark}"


def _cells(table: Table) -> list[list[str]]:
    """Header and rows as text; the threshold column only where rows have one."""
    thresholds = any(row.threshold is not None for row in table.rows)
    heads = [TITLES.get(column, column) for column in table.columns]
    lines = [["label", "n+", *(["threshold"] if thresholds else []), *heads]]
    for row in table.rows:
        cut = UNDEFINED if row.threshold is None else f"{row.threshold:.3f}"
        lines.append(
            [
                row.name,
                UNDEFINED if row.positives is None else str(row.positives),
                *([cut] if thresholds else []),
                *(_text(column, row.figures[column]) for column in table.columns),
            ]
        )
    return lines


def _aligned(table: Table) -> str:
    lines = _cells(table)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_padded(line, widths) for line in lines)


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    pairs = zip(cells, widths, strict=True)
    return "  ".join(cell.ljust(width) for cell, width in pairs).rstrip()


def _piped(table: Table) -> str:
    head, *rows = (f"| {' | '.join(cells)} |" for cells in _cells(table))
    rule = "|" + "---|" * (head.count("|") - 1)
    return "\n".join([head, rule, *rows])
