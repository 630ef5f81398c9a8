"""Doubt: two lines of the card on answers that should be withheld, from the evaluation's tables.

Evaluations older than these tables, and networks that have none, give no line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.card.text import at, figure

# Beginnings of the titles that `model_build` gives to its tables.
ABSTENTION, OUTLIERS = "Abstention", "Out-of-distribution"
Rows = Mapping[str, Any]


def lines(test: Any) -> list[tuple[str, str]]:  # noqa: ANN401
    """Name and sentence of each guard that was evaluated.

    Args:
        test: the evaluation on held-out data, as stored in the manifest.
    """
    found = [("Abstention", _abstention(_rows(test, ABSTENTION)))]
    found.append(("Out-of-distribution gate", _outliers(_rows(test, OUTLIERS))))
    return [(name, text) for name, text in found if text]


def _rows(test: Any, title: str) -> Rows:  # noqa: ANN401
    """Rows by name of the first further table whose title begins so; empty where there is none."""
    for table in at(test, "further") or ():
        if str(at(table, "title")).startswith(title):
            return {str(at(row, "name")): row for row in at(table, "rows") or ()}
    return {}


def _abstention(rows: Rows) -> str:
    """The first row is without abstention, the second by the signal that every network has."""
    if len(rows) < 2:
        return ""
    (_, everything), (signal, kept) = list(rows.items())[:2]
    abstained, before, after = (
        figure(column, at(row, "figures", column))
        for row, column in ((kept, "abstained"), (everything, "accuracy"), (kept, "accuracy"))
    )
    return (
        f"by {signal}, {abstained} % of test slices would not be answered; accuracy of any: all "
        f"{before} %, the rest {after} %"
    )


def _outliers(rows: Rows) -> str:
    """The first row is the test split, the last one all outliers together."""
    if len(rows) < 2:
        return ""
    test, *_, made = rows.values()
    shares = [figure("flagged", at(row, "figures", "flagged")) for row in (test, made)]
    return f"flags {shares[0]} % of test slices and {shares[1]} % of {at(made, 'slices')} outliers"
