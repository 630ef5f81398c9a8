"""The bento: holds what serving needs and nothing else, and serves from what it holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.running import ROOT, environment, start

SEARCHED = os.pathsep.join([str(ROOT / ".tools" / "bin"), os.environ.get("PATH", "")])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("uv", path=SEARCHED) is None, reason="bentoml build needs uv")
def test_built_bento_serves_without_training_code(
    new_home: Callable[[str], Path], tmp_path: Path, sample: bytes
) -> None:
    """Built in a home of its own, started far from the checkout, it classifies the sample."""
    home = new_home("built")
    built = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--output", "tag"],
        cwd=ROOT,
        env=environment(home, PATH=SEARCHED),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert built.returncode == 0, built.stderr
    tag = built.stdout.strip().splitlines()[-1].removeprefix("__tag__:")
    source = home / "bentos" / tag.replace(":", "/") / "src"
    assert {path.name for path in source.iterdir()} == {"service", "bentofile.yaml"}
    assert not list(source.rglob("__pycache__"))
    with start(home, target=tag, cwd=tmp_path) as running:
        running.wait_for("/readyz", 200)
        with running.http() as client:
            answer = client.post(
                "/classify", content=sample, headers={"Content-Type": "application/dicom"}
            )
        assert answer.json()["slices"][0]["status"] == "classified"
