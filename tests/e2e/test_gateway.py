"""Gateway: slices sent to a real Orthanc come back as an answer of the real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.types import LABELS
from tests.deploy.archive import NEEDS_ORTHANC, Archive, eventually, series_of
from tests.e2e.running import RunningService

pytestmark = NEEDS_ORTHANC


@pytest.fixture
def archive(service: RunningService, tmp_path: Path) -> Iterator[Archive]:
    """An Orthanc with the shipped configuration, pointed at the running service."""
    folder = tmp_path / "orthanc"
    folder.mkdir()
    archive = Archive(folder, service.url, slices=2)
    archive.start()
    yield archive
    archive.stop(kill=True)


def test_stored_series_gets_its_answer(
    service: RunningService, archive: Archive, tmp_path: Path
) -> None:
    """Three slices by storescu: metadata with three verdicts in order and the series' summary."""
    slices = series_of(3)
    archive.store(tmp_path / "in", slices)
    (series,) = archive.series()
    answer = eventually(lambda: archive.metadata(series), 60, "the answer is in the metadata")
    with service.http() as client:
        parts = [("files", ("slice", body, "application/dicom")) for body in slices]
        direct = client.post("/classify", files=parts).json()
    assert answer["labels"] == list(LABELS)
    assert answer["counts"] == {"classified": 3, "skipped": 0, "rejected": 0}
    # Lua has one kind of table: an empty object, as in a manifest without prevalences, reads [].
    for name in ("name", "tag", "version"):
        assert answer["model"][name] == direct["model"][name]
    for kept, own in zip(answer["slices"], direct["slices"], strict=True):
        expected = [own["probabilities"][label] for label in LABELS]
        assert kept["probabilities"] == pytest.approx(expected, abs=2e-5)
        assert kept["findings"] == own["findings"]
    columns = zip(*(kept["probabilities"] for kept in answer["slices"]), strict=True)
    assert answer["highest"] == [max(column) for column in columns]
