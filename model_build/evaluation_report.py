"""Evaluation report: the figures of one evaluation as frozen values, JSON and text.

Every figure carries its interval, every table says over what it averages, and what is rendered
opens with what the figures may be taken for.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from model_build.evaluation_table import Estimate, Table, aligned, piped, text_of
from model_build.reliability import Curve
from service.types import LABELS

NOTICE = "Research use only, not a medical device."
JSON_FILE, MARKDOWN_FILE = "evaluation.json", "evaluation.md"


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What is known of one model on one set of slices.

    `any_consistent_share` is the share of slices with p(any) >= every subtype: reported, not
    forced. `against_baseline` is None where no baseline was compared.
    `assumed_prevalence` is, per label, what the probabilities assume and what every figure that
    depends on prevalence was weighed to; None where it is that of the slices themselves.
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
    assumed_prevalence: tuple[float | None, ...] = (None,) * len(LABELS)
    further: tuple[Table, ...] = ()
    curves: tuple[Curve, ...] = ()

    def tables(self) -> tuple[Table, ...]:
        """The tables in reading order."""
        rest = (self.at_half, self.at_thresholds, self.ppv_at_prevalence)
        compared = (self.against_baseline,) if self.against_baseline else ()
        return (self.discrimination, *compared, *rest, *self.further)

    def with_baseline(self, table: Table) -> EvaluationReport:
        """The same report with the comparison to the baseline in it."""
        return replace(self, against_baseline=table)

    def with_more(self, *tables: Table, curves: tuple[Curve, ...] = ()) -> EvaluationReport:
        """The same report with further tables and curves at its end."""
        return replace(self, further=(*self.further, *tables), curves=(*self.curves, *curves))

    def to_json(self) -> str:
        """Readable JSON; undefined figures are null."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"

    def to_table(self) -> str:
        """Text for the terminal: every table in aligned columns."""
        return "\n\n".join(f"{table.title}\n{aligned(table)}" for table in self.tables())

    def to_markdown(self) -> str:
        """The same tables as GitHub markdown."""
        return "\n\n".join(f"## {table.title}\n\n{piped(table)}" for table in self.tables())


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
    loss = text_of("log_loss", report.challenge_loss)
    share = 100 * report.any_consistent_share
    return (
        f"{report.slices} {report.level} scores of {report.patients} patients. 95 % intervals in "
        f"brackets: bootstrap over patients ({report.replicates} replicates, seed {report.seed}); "
        f"Clopper-Pearson over patients, marked *, where a figure is exactly 0 or 1. "
        f"Weighted log loss (any counts twice) {loss}. {_prevalence(report)}"
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


def _prevalence(report: EvaluationReport) -> str:
    share = report.assumed_prevalence[LABELS.index("any")]
    if share is None:
        return ""
    return (
        f"Probabilities assume, and losses, calibration and predictive values are weighed to, "
        f"{100 * share:.1f} % positive slices (any). "
    )


def _verdict(comparison: Table | None) -> str:
    if comparison is None:
        return ""
    above = clearly_above(comparison)
    lists = [
        ", ".join(name for name, ok in above.items() if ok is wanted) for wanted in (True, False)
    ]
    yes, no = (names or "none" for names in lists)
    return f" Clearly above the baseline in AUROC: {yes}; not shown to be: {no}."
