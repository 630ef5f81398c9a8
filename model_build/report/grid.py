"""Grid: a table of the report as values, and how a value is shown.

Columns stand in groups, and a group is either claimed or measured, never both: that is what keeps
the papers' figures apart from ours on the page and in the JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_build.evaluation_table import Estimate
from model_build.published import HEADING

MEASURED = "measured here"
NOT_STATED, NOT_BUILT, UNDEFINED = "not stated", "not built", "undefined"

Cell = Estimate | float | int | str | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title and how its numbers are shown (a key of `DIGITS`)."""

    title: str
    kind: str = "percent"


@dataclass(frozen=True, slots=True)
class Group:
    """Columns under one heading; `claimed` groups are the papers', the others ours."""

    heading: str
    columns: tuple[Column, ...]
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its name and a cell per column; None is shown as a dash."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with its title and the note that says over what its figures are."""

    title: str
    groups: tuple[Group, ...]
    lines: tuple[Line, ...]
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse a row that does not fill the columns.

        Raises:
            ValueError: a row has more or fewer cells than there are columns.
        """
        width = len(self.columns)
        if any(len(line.cells) != width for line in self.lines):
            raise ValueError(f"a row of the table {self.title!r} does not fit its columns")

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns, left to right."""
        return tuple(column for group in self.groups for column in group.columns)

    @property
    def claimed_columns(self) -> tuple[bool, ...]:
        """Per column: does it hold claimed figures?"""
        return tuple(group.claimed for group in self.groups for _ in group.columns)


# kind -> (factor, digits): `percent` shows a fraction, `claimed` what is in percent already.
DIGITS = {
    "percent": (100.0, 1),
    "claimed": (1.0, 2),
    "three": (1.0, 3),
    "four": (1.0, 4),
    "whole": (1.0, 0),
    "text": (1.0, 3),
}


def claimed(columns: Sequence[str], kind: str = "claimed", study: str = "") -> Group:
    """A group of claimed columns; the heading says so, whatever else it says."""
    heading = f"{study}: {HEADING}" if study else HEADING
    return Group(heading, tuple(Column(name, kind) for name in columns), claimed=True)


def measured(columns: Sequence[str], kind: str = "percent", where: str = "") -> Group:
    """A group of columns with figures of ours; `where` adds to the heading."""
    heading = f"{MEASURED}, {where}" if where else MEASURED
    return Group(heading, tuple(Column(name, kind) for name in columns))


def shown(cell: Cell, kind: str) -> str:
    """The value of a cell as text, without its interval."""
    value = cell.value if isinstance(cell, Estimate) else cell
    if value is None:
        return UNDEFINED if isinstance(cell, Estimate) else "–"
    if isinstance(value, str):
        return value
    factor, digits = DIGITS[kind]
    return f"{factor * value:,.{digits}f}"


def interval(cell: Cell, kind: str) -> str:
    """`low–high` of an estimate; empty where there is none. An asterisk marks Clopper-Pearson."""
    if not isinstance(cell, Estimate) or cell.low is None or cell.high is None:
        return ""
    factor, digits = DIGITS[kind]
    mark = "*" if cell.method == "Clopper-Pearson" else ""
    return f"{factor * cell.low:.{digits}f}–{factor * cell.high:.{digits}f}{mark}"
