"""The composition root: what its import does, and what it puts around the HTTP app."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_python(code: str, home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a line of Python in a fresh interpreter with a BentoML home of its own."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ICH_")}
    own = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=inherited | own | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("heavy", ["torch", "torchvision", "model_build"])
def test_import_loads_nothing_heavy(heavy: str, imported: set[str]) -> None:
    """The arbiter imports this module as well and must stay small."""
    assert heavy not in imported


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Top-level modules that importing the service leaves behind."""
    code = "import service.service, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = run_python(code, tmp_path_factory.mktemp("home"))
    assert done.returncode == 0, done.stderr
    assert "bentoml" in done.stdout
    return set(done.stdout.split())


def test_bad_setting_ends_the_import_with_one_line(tmp_path: Path) -> None:
    """No traceback, exit status 1, and the line names the setting."""
    done = run_python("import service.service", tmp_path, ICH_GRPC_PORT="0")
    assert done.returncode == 1
    assert done.stderr.startswith("ich-serve refuses to start: ICH_GRPC_PORT: ")
    assert done.stderr.count("\n") == 1


def test_unknown_model_is_an_artifact_error(tmp_path: Path) -> None:
    """The reason names the setting to look at, and nothing is fetched from anywhere."""
    code = (
        "from service import service, artifact\n"
        "try: service.find_model()\n"
        "except artifact.ArtifactError as error: print(error)"
    )
    done = run_python(code, tmp_path, ICH_MODEL="no_such_model:1")
    assert done.stdout.strip() == "ICH_MODEL names no model of the store"
