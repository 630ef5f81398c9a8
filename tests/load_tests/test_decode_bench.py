"""The decode bench: what it measures is a slice that is really decoded, and its table is whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

from load_tests.decode_bench import (
    AIMS_MS,
    COLUMNS,
    Row,
    archive_rows,
    measure,
    phantom_rows,
    table,
)
from service.dicom.decode import decode_slice
from service.dicom.transfer_syntax import ACCEPTED


def test_the_phantom_is_decoded_in_every_syntax() -> None:
    """Every accepted syntax has its row, and none is refused before it costs anything."""
    rows = phantom_rows()
    assert [row.name for row in rows] == [syntax.name for syntax in ACCEPTED.values()]
    lossless = [row for row in rows if row.aim_ms is not None]
    assert len(lossless) == len(AIMS_MS)
    for row in lossless:
        assert decode_slice(row.body).slice_hu is not None, row.name


def test_no_archive_gives_no_rows(tmp_path: Path) -> None:
    """Without the real files the phantom stands alone."""
    assert archive_rows(tmp_path / "missing.tar.xz") == []


def test_a_round_fills_every_column() -> None:
    """One round through a real pool gives each figure a value above zero."""
    row = phantom_rows()[1]
    asyncio.run(measure([row], workers=1, rounds=1, repeats=2))
    for column in ("pydicom", "in process", "worker", "loop", "1/s pool"):
        assert (row.median(column) or 0) > 0, column
    head, line = table([row]).splitlines()
    assert all(column in head for column in COLUMNS)
    assert "-" not in line.split()


def test_the_median_and_the_dash() -> None:
    """The middle one of the rounds is shown, a dash where nothing was measured."""
    row = Row("slice", b"x" * 2048, aim_ms=0.4)
    for value in (1.0, 9.0, 2.0):
        row.add("in process", value)
    assert table([row]).splitlines()[1].split() == [
        *("slice", "2", "-", "2.00", "-", "-", "-", "500", "-", "0.40")
    ]
