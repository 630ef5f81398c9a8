"""Tests of the two lines on answers to withhold: from the tables, or not at all."""

from __future__ import annotations

from typing import Any

from service.card import doubt


def row(name: str, slices: int = 100, **figures: float | None) -> dict[str, Any]:
    """A row of an evaluation table without intervals."""
    values = {column: {"value": value} for column, value in figures.items()}
    return {"name": name, "slices": slices, "figures": values}


def test_lines_say_what_the_tables_say() -> None:
    """Shares in percent, the first signal, the last group of outliers."""
    test = {
        "further": [
            {"title": "Something else", "rows": []},
            {
                "title": "Abstention beyond a limit",
                "rows": [
                    row("none", abstained=0.0, accuracy=0.9),
                    row("entropy", abstained=0.05, accuracy=0.95),
                    row("gap", abstained=0.06, accuracy=0.93),
                ],
            },
            {
                "title": "Out-of-distribution gate",
                "rows": [
                    row("test", flagged=0.005),
                    row("noise", 15, flagged=1.0),
                    row("all", 120, flagged=0.75),
                ],
            },
        ]
    }
    assert doubt.lines(test) == [
        (
            "Abstention",
            "by entropy, 5.0 % of test slices would not be answered; accuracy of any: all 90.0 %, "
            "the rest 95.0 %",
        ),
        ("Out-of-distribution gate", "flags 0.5 % of test slices and 75.0 % of 120 outliers"),
    ]


def test_an_undefined_figure_is_said() -> None:
    """Null in the table is undefined in the line."""
    rows = [row("test", flagged=None), row("all", 120, flagged=None)]
    test = {"further": [{"title": "Out-of-distribution gate", "rows": rows}]}
    (line,) = doubt.lines(test)
    assert line[1].startswith("flags undefined %")


def test_an_older_evaluation_has_no_line() -> None:
    """No evaluation, none of the tables, or tables without rows."""
    assert doubt.lines(None) == []
    assert doubt.lines({"discrimination": {}}) == []
    assert doubt.lines({"further": [{"title": "Abstention", "rows": []}]}) == []
