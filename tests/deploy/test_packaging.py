"""What is shipped: pinned requirements, the bento's contents, the image, the developer commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SEARCHED = os.pathsep.join([str(ROOT / ".tools" / "bin"), os.environ.get("PATH", "")])
UV = shutil.which("uv", path=SEARCHED)


def requirements() -> dict[str, str]:
    """Name -> exact version of each pinned requirement; one of several for different Pythons."""
    lines = (ROOT / "service" / "requirements.txt").read_text().splitlines()
    return dict(line.partition(";")[0].strip().split("==") for line in lines)


def test_every_requirement_is_what_the_lock_has() -> None:
    """The bento installs the versions that were tested, and all direct dependencies."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    locked = {(package["name"], package["version"]) for package in packages if "version" in package}
    assert set(requirements().items()) <= locked
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = {re.split(r"[=<>\[ ]", item)[0] for item in project["dependencies"]}
    assert direct <= set(requirements())


def test_development_tools_are_not_shipped() -> None:
    """What only training, tests or checks need stays out of the bento."""
    assert not {"pytest", "mypy", "locust", "scipy", "scikit-learn"} & set(requirements())


@pytest.mark.skipif(UV is None, reason="uv is not installed (make setup installs it)")
def test_requirements_are_the_export_of_the_lock() -> None:
    """Byte for byte what `make requirements` writes."""
    recipe = re.search(r"^\t\$\(UV\) (export .*?) > (\S+)$", MAKEFILE, re.M | re.S)
    assert recipe is not None
    options = recipe.group(1).replace("\\\n", " ").split()
    done = subprocess.run(
        [str(UV), *options], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == (ROOT / recipe.group(2)).read_text()


def test_bento_includes_the_service_alone() -> None:
    """No training code, no tests; the model by reference; the entry point that exists."""
    spec = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
    assert spec["include"] == ["service/**"]
    assert spec["models"] == ["ich_convlstm:latest"]
    module, _, name = spec["service"].partition(":")
    source = (ROOT / (module.replace(".", "/") + ".py")).read_text()
    assert f"class {name}:" in source
    assert (ROOT / spec["python"]["requirements_txt"]).is_file()


def test_image_runs_unprivileged_and_hears_signals() -> None:
    """A numeric user, so that Kubernetes can check it; the exec form, so that SIGTERM arrives."""
    last_stage = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last_stage, re.M)
    assert re.search(r'^ENTRYPOINT \["bentoml", "serve", ', last_stage, re.M)
    assert "model_build" not in last_stage
    assert "chmod -R a+rX /opt/bentoml" in DOCKERFILE  # BentoML stores models with mode 0700
    assert re.search(r"^HEALTHCHECK .*--timeout=", last_stage, re.M)


def test_image_is_sent_what_it_copies() -> None:
    """Every path of a COPY from the context exists and is let through .dockerignore."""
    allowed = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.M))
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M)
    sources = {source for line in copies for source in line.split()}
    assert sources <= allowed
    assert all((ROOT / source).exists() for source in sources)


def test_one_uv_version_everywhere() -> None:
    """The image resolves nothing that the developer's environment would resolve differently."""
    pinned = re.search(r"^UV_VERSION := (\S+)$", MAKEFILE, re.M)
    assert pinned is not None
    assert f"uv=={pinned.group(1)}" in DOCKERFILE


def test_every_public_target_is_listed() -> None:
    """`make` alone shows each command of the Makefile with its sentence."""
    shown = subprocess.run(
        ["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    for target in (
        "setup",
        "serve",
        "test",
        "check",
        "train",
        "train-quick",
        "proto",
        "load",
        "e2e",
        "bento",
        "clean",
    ):
        assert re.search(rf"^  make {target} +\S", shown, re.M)


def test_continuous_integration_runs_make_test() -> None:
    """The same command as the developer's, and it may be executed."""
    script = ROOT / ".ci" / "run"
    assert "make --no-print-directory test" in script.read_text()
    assert os.access(script, os.X_OK)
