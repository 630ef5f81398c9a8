"""Fixtures of the report: two finished runs, read once."""

from __future__ import annotations

import pytest

from model_build.report.run_folder import Run, read_run
from tests.model_build.run_folders import write_run


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, ...]:
    """A strong Conv-LSTM and a weaker network that no paper names."""
    home = tmp_path_factory.mktemp("report")
    folders = (
        write_run(home / "main", "conv_lstm"),
        write_run(home / "other<b>", "window_series", seed=1, strength=1.0),
    )
    return tuple(read_run(folder) for folder in folders)
