"""End to end: one service for the session, and a home with the model for those who start more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.running import ROOT, RunningService, environment, start
from tests.factories import make_ct_slice

SERIES_LENGTH = 28


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder starts the real service."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def model_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BENTOML_HOME into which the committed model was imported by the documented command."""
    home = tmp_path_factory.mktemp("store")
    command = [sys.executable, "-m", "model_build", "save", "--pretrained"]
    subprocess.run(command, cwd=ROOT, env=environment(home), check=True, timeout=120)
    return home


@pytest.fixture
def new_home(model_store: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes further homes that hold the same model."""

    def make(name: str) -> Path:
        home = tmp_path / name
        shutil.copytree(model_store / "models", home / "models", symlinks=True)
        return home

    return make


@pytest.fixture(scope="session")
def service(
    model_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """The service that most tests talk to, ready."""
    home = tmp_path_factory.mktemp("service")
    shutil.copytree(model_store / "models", home / "models", symlinks=True)
    with start(home) as running:
        running.wait_for("/readyz", 200)
        yield running


@pytest.fixture(scope="session")
def series() -> list[bytes]:
    """The 28 slices of one synthetic series, all different."""
    return [make_ct_slice(seed=seed) for seed in range(SERIES_LENGTH)]


@pytest.fixture(scope="session")
def sample() -> bytes:
    """The slice that ships with the repository."""
    return (ROOT / "samples" / "synthetic_slice.dcm").read_bytes()
