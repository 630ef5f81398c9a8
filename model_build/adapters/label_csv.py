"""Label csv: the label tables of the RSNA 2019 challenge, in both of their public layouts.

long   header `ID,Label`; rows `ID_<hex>_<label>,0|1`, six per slice (stage_2_train.csv)
wide   one row per slice: a name column and the six labels, in any order and spelling of old
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from model_build.adapters.records import Labels, check_any
from service.types import LABELS

_VALUES = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
_NAME_COLUMNS = (
    *("id", "image", "imageid", "sopinstanceuid", "filename", "file", "imagename"),
    *("sliceid", "slice", "name"),
)
_SHORT = {"edh": 0, "iph": 1, "ivh": 2, "sah": 3, "sdh": 4, "ich": 5}
_LABEL_COLUMNS = {name: index for index, name in enumerate(LABELS)} | _SHORT
_SUFFIX = re.compile(r"(.)ha?emorrhage$")
_FILE_SUFFIX = re.compile(r"\.(dcm|dicom)$", re.IGNORECASE)
_UNSET = 2

Rows = Iterator[tuple[int, list[str]]]


def read_labels(path: Path) -> tuple[dict[str, Labels], dict[str, int]]:
    """Labels by slice name (without `.dcm`), and how many rows were corrected.

    Errors name the line and never the slice.

    Raises:
        ValueError: the header is neither layout, a value is not 0 or 1, repeated rows
            contradict each other, one of six is missing, or `any` is not the OR of the others.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        header = [_plain(cell) for cell in next(rows, [])]
        numbered = ((line, row) for line, row in enumerate(rows, 2) if any(map(str.strip, row)))
        if "label" in header and "id" in header:
            return _long(numbered, header.index("id"), header.index("label"))
        return _wide(numbered, header)


def slice_name(text: str) -> str:
    """The name that a file and its label row share: no folder and no `.dcm`."""
    return _FILE_SUFFIX.sub("", re.split(r"[\\/]", text.strip())[-1])


def _plain(cell: str) -> str:
    """A column name without case, blanks and punctuation."""
    return _SUFFIX.sub(r"\1", re.sub(r"[^a-z]", "", cell.lower()))


def _value(text: str, line: int) -> int:
    value = _VALUES.get(text.strip())
    if value is None:
        raise ValueError(f"line {line} of the labels holds a label that is not 0 or 1")
    return value


def _long(rows: Rows, id_at: int, label_at: int) -> tuple[dict[str, Labels], dict[str, int]]:
    found: dict[str, bytearray] = {}
    last: dict[str, int] = {}
    repeated = 0
    for line, row in rows:
        if len(row) <= max(id_at, label_at):
            raise ValueError(f"line {line} of the labels is too short")
        name, _, label = row[id_at].strip().rpartition("_")
        if label not in LABELS or not name:
            raise ValueError(f"line {line} of the labels names none of six labels")
        value, index = _value(row[label_at], line), LABELS.index(label)
        six = found.setdefault(name, bytearray([_UNSET] * len(LABELS)))
        # The challenge repeats 24 rows of four images; a repetition that agrees is dropped.
        if six[index] not in (_UNSET, value):
            raise ValueError(f"line {line} of the labels contradicts an earlier one")
        repeated += six[index] != _UNSET
        six[index] = value
        last[name] = line
    if any(_UNSET in six for six in found.values()):
        raise ValueError("the labels lack one of the six labels of a slice")
    checked = {name: check_any(tuple(six), last[name]) for name, six in found.items()}
    return checked, {"duplicate_label_row": repeated} if repeated else {}


def _wide(rows: Rows, header: list[str]) -> tuple[dict[str, Labels], dict[str, int]]:
    name_at = next((header.index(name) for name in _NAME_COLUMNS if name in header), None)
    at = {
        _LABEL_COLUMNS[cell]: place for place, cell in enumerate(header) if cell in _LABEL_COLUMNS
    }
    if name_at is None or not set(range(len(LABELS) - 1)) <= set(at):
        raise ValueError(
            "the labels have neither the columns ID and Label nor a name and the six labels"
        )
    found: dict[str, Labels] = {}
    counts: Counter[str] = Counter()
    for line, row in rows:
        if len(row) <= max(name_at, *at.values()):
            raise ValueError(f"line {line} of the labels is too short")
        values = [_value(row[at[index]], line) for index in sorted(at)]
        if len(values) < len(LABELS):
            values.append(max(values))
            counts["any_derived"] += 1
        labels, name = check_any(tuple(values), line), slice_name(row[name_at])
        if found.setdefault(name, labels) != labels:
            raise ValueError(f"line {line} of the labels contradicts an earlier one")
        counts["duplicate_label_row"] += 1
    counts["duplicate_label_row"] -= len(found)
    return found, {code: count for code, count in counts.items() if count}
