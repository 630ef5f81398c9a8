"""Text: numbers, lists and tables of the manifest as markdown.

Whatever the manifest lacks is printed as `NOT_STATED`; a card never fills a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

NOT_STATED = "not stated"
UNDEFINED = "undefined"
PERCENT = (
    *("sensitivity", "specificity", "precision", "npv", "accuracy", "f1"),
    *("abstained", "flagged", "flipped"),
)


def at(facts: Any, *path: str) -> Any:  # noqa: ANN401
    """The value under these keys, None where one of them is missing."""
    for key in path:
        if not isinstance(facts, Mapping):
            return None
        facts = facts.get(key)
    return facts


def stated(value: Any) -> str:  # noqa: ANN401
    """A value as one line: numbers short, mappings as `key value`, None as not stated."""
    if value is None or value == "" or value == {} or value == []:
        return NOT_STATED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{words(str(key))} {_nested(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_nested, value))
    return str(value)


def words(name: str) -> str:
    """A key of the manifest as words."""
    return name.replace("_", " ")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A GitHub table; cells are made safe for it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def bullets(pairs: Iterable[tuple[str, Any]]) -> str:
    """One line per fact: `- **name**: value`."""
    return "\n".join(f"- **{name}**: {_line(stated(value))}" for name, value in pairs)


def figure(column: str, estimate: Any) -> str:  # noqa: ANN401
    """`value [low, high]` of one figure of the evaluation; rates in percent."""
    if estimate is None:
        return NOT_STATED
    value, low, high = (at(estimate, key) for key in ("value", "low", "high"))
    if value is None:
        return UNDEFINED
    percent = column in PERCENT or column.startswith("at ")
    shown = [
        f"{100 * x:.1f}" if percent else f"{x:.3f}" for x in (value, low, high) if x is not None
    ]
    return shown[0] if len(shown) < 3 else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def evaluation_tables(facts: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Every table inside an evaluation, wherever it lies: (where, table), in stored order."""
    if isinstance(facts, list):
        for item in facts:
            yield from evaluation_tables(item, path)
    if not isinstance(facts, Mapping):
        return
    if isinstance(facts.get("rows"), list) and isinstance(facts.get("columns"), list):
        yield " / ".join(words(key) for key in path[:-1]), facts
        return
    for key, value in facts.items():
        yield from evaluation_tables(value, (*path, str(key)))


def render_table(facts: Mapping[str, Any]) -> str:
    """One table of the evaluation: a row per label, a figure with its interval per column."""
    columns = [str(column) for column in facts["columns"]]
    cut = any(at(row, "threshold") is not None for row in facts["rows"])
    head = ["label", "n+", *(["threshold"] if cut else []), *map(words, columns)]
    rows = []
    for row in facts["rows"]:
        positives, threshold = at(row, "positives"), at(row, "threshold")
        cells = [stated(at(row, "name")), "" if positives is None else str(positives)]
        cells += ["" if threshold is None else f"{threshold:.3f}"] if cut else []
        rows.append([*cells, *(figure(name, at(row, "figures", name)) for name in columns)])
    return table(head, rows)


def _nested(value: Any) -> str:  # noqa: ANN401
    text = stated(value)
    return f"({text})" if isinstance(value, Mapping | list) else text


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")
