"""The command line: what it refuses, and what it needs for each command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model_build.__main__ import main
from model_build.export import PRETRAINED, store_tag
from service.artifact import verify_folder

ROOT = Path(__file__).parents[2]
# A finder that refuses the packages of the `train` group, as in the container image.
WITHOUT_TRAINING = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {'scipy', 'sklearn', 'tqdm'}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
from model_build.__main__ import main
sys.exit(main(['save', '--pretrained']))
"""


def test_the_pretrained_model_is_saved_with_the_serving_requirements_alone(tmp_path: Path) -> None:
    """The image holds no scipy, scikit-learn or tqdm; importing twice gives the same tag."""
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "true"}
    lines = []
    for _ in range(2):
        result = subprocess.run(
            [sys.executable, "-c", WITHOUT_TRAINING],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        lines.append(result.stdout)
    tag = store_tag(verify_folder(PRETRAINED))
    assert lines == [f"model in the store: {tag}\n"] * 2
    name, version = tag.split(":")
    assert (tmp_path / "models" / name / version / "model.safetensors").exists()


def test_a_trained_model_never_takes_the_name_that_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make serve` after `make train-quick` still serves the pretrained model."""
    saved: list[tuple[Path, str]] = []

    def save(folder: Path, name: str) -> str:
        saved.append((folder, name))
        return name

    monkeypatch.setattr("model_build.export.save_to_store", save)
    assert main(["save", "--recipe", "quick", "--home", str(tmp_path)]) == 0
    assert main(["save", "--pretrained"]) == 0
    assert saved == [
        (tmp_path / "runs" / "quick" / "model", "ich_convlstm_quick"),
        (PRETRAINED, "ich_convlstm"),
    ]


def test_evaluating_what_was_not_trained_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One plain sentence and a status that is not zero."""
    assert main(["evaluate", "--recipe", "quick", "--home", str(tmp_path)]) == 1
    assert "run `train` first" in capsys.readouterr().err


def test_an_unknown_recipe_is_refused() -> None:
    """The parser names the recipes there are."""
    with pytest.raises(SystemExit):
        main(["train", "--recipe", "none"])
