"""A short coverage-guided run on reader and gate, and the proof that it would find a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.dicom.decode import decode_slice
from service.dicom.enhanced import Frames
from service.dicom.gate import CODES
from service.dicom.limits import Caps
from service.dicom.reader import read
from tests.fuzz import reader

SEEDS = sorted(reader.SEEDS.glob("*.dcm"))


def test_short_run_finds_nothing(tmp_path: Path) -> None:
    """Two seconds: many inputs were judged, and none raised."""
    run = reader.run(2, findings=tmp_path)
    assert run.findings == (), run.output[-2000:]
    assert run.executions > 50
    assert "service.dicom.scan" in run.output  # instrumented, so that coverage guides
    assert "service.dicom.functional_groups" in run.output
    assert "Instrumenting pydicom" not in run.output


def test_planted_fault_is_found(tmp_path: Path) -> None:
    """The same run over a target that raises on one kind of mutant ends with that mutant."""
    run = reader.run(20, planted=True, findings=tmp_path)
    assert len(run.findings) == 1
    assert "PlantedFault" in run.output


def test_seeds_reach_what_is_fuzzed(tmp_path: Path) -> None:
    """Every native encoding and both kinds of multi-frame object fit, and none is damaged."""
    assert reader.write_seeds(tmp_path) >= 7
    parsed = [read(path.read_bytes(), Caps()) for path in sorted(tmp_path.iterdir())]
    assert not [item.faults for item in parsed if item.faults]
    several = [Frames.of(item, Caps()) for item in parsed if item.multi_frame]
    assert [len(item) for item in several] == [2, 2]
    assert all(item.frame(1).header.has("RescaleSlope") for item in several)


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
def test_former_finding_stays_fixed(path: Path) -> None:
    """An input that once failed, or was believed, is refused with known codes."""
    decoded = decode_slice(path.read_bytes())
    assert {item.code for item in decoded.violations} <= CODES - {"decoder_failed"}
    assert decoded.slice_hu is None
