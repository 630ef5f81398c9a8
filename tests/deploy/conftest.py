"""Deploy: the fixture that starts real archives and ends them whatever the test did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.archive import Archive, Launch


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts archives and stops them whatever the test did."""
    started: list[Archive] = []

    def start(url: str, **options: object) -> Archive:
        folder = tmp_path / "orthanc"
        folder.mkdir()
        archive = Archive(folder, url, **options)  # type: ignore[arg-type]
        started.append(archive)
        archive.start()
        return archive

    yield start
    for archive in started:
        archive.stop(kill=True)
