"""A short coverage-guided run on reader and gate, and the proof that it would find a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.dicom.decode import decode_slice
from service.dicom.gate import CODES
from tests.fuzz import reader

SEEDS = sorted(reader.SEEDS.glob("*.dcm"))


def test_short_run_finds_nothing(tmp_path: Path) -> None:
    """Two seconds: many inputs were judged, and none raised."""
    run = reader.run(2, findings=tmp_path)
    assert run.findings == (), run.output[-2000:]
    assert run.executions > 100
    assert "service.dicom.scan" in run.output  # instrumented, so that coverage guides
    assert "Instrumenting pydicom" not in run.output


def test_planted_fault_is_found(tmp_path: Path) -> None:
    """The same run over a target that raises on one kind of mutant ends with that mutant."""
    run = reader.run(20, planted=True, findings=tmp_path)
    assert len(run.findings) == 1
    assert "PlantedFault" in run.output


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
def test_former_finding_stays_fixed(path: Path) -> None:
    """An input that once failed, or was believed, is refused with known codes."""
    decoded = decode_slice(path.read_bytes())
    assert {item.code for item in decoded.violations} <= CODES - {"decoder_failed"}
    assert decoded.slice_hu is None
