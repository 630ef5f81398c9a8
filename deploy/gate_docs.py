"""Gate docs: writes docs/input-gate.md from the rules of the input gate.

gate.RULES, violations.FIXED, reasons, content limits, the status maps of both transports, STOW
docs/input-gate-measured.json (`python -m model_build gate-limits`) -> docs/input-gate.md

Nothing on that page is written by hand: a test compares it with what this module gives.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from deploy.gate_text import CONTENT, FAMILIES, FRAMES, INTRO, VERDICTS
from service.api.problem import STATUS as HTTP
from service.config import Settings
from service.dicom.gate import RULES
from service.dicom.reasons import LIMITED_BY, REASONS
from service.dicom.stow import OF_FAILURE, StowOutcome, outcome_of
from service.dicom.violations import FIXED
from service.rpc.status import STATUS as GRPC
from service.types import Action, Kind, Violation

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "input-gate.md"
MEASURED = ROOT / "docs" / "input-gate-measured.json"
_COLUMNS = ("code", "action", "element", "sentence", "when and why", "settings")


def page(measured: Path = MEASURED) -> str:
    """The whole page, as markdown."""
    facts = json.loads(measured.read_text(encoding="utf-8"))
    parts = [
        INTRO,
        "## What follows from a verdict\n",
        VERDICTS,
        _table(("meaning of a failure", "HTTP", "gRPC", "STOW-RS"), map(_kind, Kind)),
        "## Rules for the header\n",
        _table(_COLUMNS, (_rule_cells(index) for index in range(len(RULES)))),
        "## Found while reading and decoding\n",
        _table(_COLUMNS, map(_found_cells, _found())),
        FRAMES,
        CONTENT,
        _limits(facts),
        _table(("set", "slices", "skipped", "warned"), map(_counted, facts["sets"])),
        FAMILIES,
        _families(facts["sets"]),
        "Ranges over the slices of heads above (`service.dicom.content.Measures`):\n",
        _ranges(facts["sets"]),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def write(path: Path = PAGE) -> Path:
    """Write the page; returns where."""
    path.write_text(page(), encoding="utf-8")
    return path


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _stow(outcome: StowOutcome) -> str:
    reason = "" if outcome.reason is None else f", {outcome.reason} {outcome.meaning}"
    return f"{outcome.sequence}{reason}"


def _kind(kind: Kind) -> tuple[str, ...]:
    words = kind.value.replace("_", " ")
    return words, str(HTTP[kind]), GRPC[kind].name, _stow(OF_FAILURE[kind])


def _action(item: Violation) -> str:
    """The action and, where nothing else of the request was classified, its two statuses."""
    if item.action not in (Action.REJECT, Action.SKIP):
        return item.action.value
    stow = outcome_of(item.action, item.kind).reason or "-"
    return f"{item.action.value}: {HTTP[item.kind]}, {GRPC[item.kind].name}, {stow}"


def _settings(names: Iterable[str]) -> str:
    fields = Settings.model_fields
    return ", ".join(f"`ICH_{name.upper()}` {fields[name].default}" for name in names)


def _element(item: Violation) -> str:
    return f"{item.keyword} ({item.tag})" if item.keyword else ""


def _rule_cells(index: int) -> tuple[str, ...]:
    rule = RULES[index]
    item, why = rule.violation, f"{rule.when} {rule.reason}"
    return (f"`{item.code}`", _action(item), _element(item), item.message, why,
            _settings(rule.settings))  # fmt: skip


def _found() -> list[Violation]:
    """What no header rule gives, in the order in which an object meets it."""
    by_rule = {rule.violation for rule in RULES}
    return [item for item in FIXED if item not in by_rule]


def _found_cells(item: Violation) -> tuple[str, ...]:
    settings = _settings(LIMITED_BY.get(item.code, ()))
    code, why = f"`{item.code}`", REASONS[item.code]
    return code, _action(item), _element(item), item.message, why, settings


def _limits(facts: dict[str, Any]) -> str:
    broken: dict[str, list[int]] = {}
    for item in facts["sets"]:
        for words, count in item["limits"].items():
            broken.setdefault(words, [0, 0])[0 if item["heads"] else 1] += count
    rows = [
        (verdict, words, *map(str, broken.get(words, [0, 0])))
        for verdict, key in (("`not_head_like`", "skipped"), ("`content_unusual`", "warned"))
        for words in facts[key]
    ]
    return _table(("verdict", "limit", "heads that break it", "others that break it"), rows)


def _counted(item: dict[str, Any]) -> tuple[str, ...]:
    kind = "heads" if item["heads"] else "others"
    looked = f"{item['read'] - item['before']} looked at, {item['before']} refused before"
    return f"{item['name']} ({kind})", looked, str(item["skipped"]), str(item["warned"])


def _families(sets: Sequence[dict[str, Any]]) -> str:
    """The counts of each family, over the sets of heads."""
    found: dict[str, list[int]] = {}
    for item in sets:
        for name, counts in item["families"].items():
            sums = found.setdefault(name, [0, 0, 0])
            found[name] = [sum(pair) for pair in zip(sums, counts, strict=True)]
    rows = [(name, str(sum(counts)), *map(str, counts)) for name, counts in found.items()]
    return _table(("made of heads", "slices", "skipped", "warned", "passed"), rows)


def _ranges(sets: Sequence[dict[str, Any]]) -> str:
    heads = [item for item in sets if item["heads"]]
    names = list(heads[0]["ranges"]) if heads else []
    rows = []
    for name in names:
        low, high = zip(*(item["ranges"][name] for item in heads), strict=True)
        rows.append((f"`{name}`", f"{min(low):g}", f"{max(high):g}"))
    return _table(("measure", "least", "greatest"), rows)


if __name__ == "__main__":
    sys.stdout.write(f"{write()}\n")
