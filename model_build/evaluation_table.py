"""Evaluation table: figures with their intervals in rows and columns, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_build.metrics import RATES

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
    "cox_slope": "Cox slope (1)",
    "cox_intercept": "Cox intercept (0)",
    "max_auroc": "AUROC of the largest slice",
    "abstained": "abstained %",
    "flagged": "flagged %",
    "flipped": "calls changed %",
    "aurc": "AURC",
    "largest_change": "largest change",
    "mean_change": "mean change",
}
SHARES = frozenset((*RATES, "abstained", "flagged", "flipped"))  # shown in percent


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

    `positives` is the number of positive slices, None for an average over labels; `slices` is the
    number of all slices where rows differ in it.
    """

    name: str
    figures: Mapping[str, Estimate]
    positives: int | None = None
    threshold: float | None = None
    slices: int | None = None


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


def aligned(table: Table) -> str:
    """Text for the terminal: the cells of a table in aligned columns."""
    lines = _cells(table)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_padded(line, widths) for line in lines)


def piped(table: Table) -> str:
    """The same cells as a GitHub markdown table."""
    head, *rows = (f"| {' | '.join(cells)} |" for cells in _cells(table))
    rule = "|" + "---|" * (head.count("|") - 1)
    return "\n".join([head, rule, *rows])


def text_of(column: str, estimate: Estimate) -> str:
    """`value [low, high]`: rates in percent, losses with four decimals, the rest with three."""
    if estimate.value is None:
        return UNDEFINED
    factor, digits = 1.0, 3
    if column in SHARES or column.startswith("at "):
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
    """Header and rows as text; slices and threshold only where rows have them."""
    slices = any(row.slices is not None for row in table.rows)
    thresholds = any(row.threshold is not None for row in table.rows)
    heads = ["label", *(["n"] if slices else []), "n+", *(["threshold"] if thresholds else [])]
    lines = [[*heads, *(TITLES.get(column, column) for column in table.columns)]]
    for row in table.rows:
        cut = UNDEFINED if row.threshold is None else f"{row.threshold:.3f}"
        lines.append(
            [
                row.name,
                *([_count(row.slices)] if slices else []),
                _count(row.positives),
                *([cut] if thresholds else []),
                *(text_of(column, row.figures[column]) for column in table.columns),
            ]
        )
    return lines


def _count(number: int | None) -> str:
    return UNDEFINED if number is None else str(number)


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    pairs = zip(cells, widths, strict=True)
    return "  ".join(cell.ljust(width) for cell, width in pairs).rstrip()
