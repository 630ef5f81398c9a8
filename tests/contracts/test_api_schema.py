"""The public contracts do not change unseen, and the generated gRPC code is what protoc makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from service.api.problem import problem_of
from service.errors import QueueFull
from tests.contracts.snapshots.current import SNAPSHOTS, openapi

ROOT = Path(__file__).resolve().parents[2]
PROTO = "service/rpc/ich.proto"
GENERATED = ("ich_pb2.py", "ich_pb2.pyi", "ich_pb2_grpc.py")


@pytest.mark.parametrize("path", list(SNAPSHOTS), ids=lambda path: path.name)
def test_contract_is_as_agreed(path: Path) -> None:
    """A change of OpenAPI or proto shows up here; `python -m tests.contracts.snapshots` agrees."""
    assert SNAPSHOTS[path]() == path.read_text(encoding="utf-8")


def test_generated_code_is_current(tmp_path: Path) -> None:
    """The committed stubs are what the committed proto gives, to the byte."""
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", *outputs, PROTO]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    for name in GENERATED:
        made = (tmp_path / "service" / "rpc" / name).read_bytes()
        assert made == (ROOT / "service" / "rpc" / name).read_bytes(), name


def test_a_real_problem_fits_its_schema() -> None:
    """The schema of the failures, which no route returns by its type, describes real ones."""
    document = json.loads(openapi())
    schema = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    validator = Draft202012Validator(schema)
    real = json.loads(problem_of(QueueFull(), "id").model_dump_json())
    validator.validate(real)
    assert not validator.is_valid({name: real[name] for name in real if name != "code"})


def test_every_reference_leads_somewhere() -> None:
    """No schema of the document is named and absent."""
    text = openapi()
    schemas = json.loads(text)["components"]["schemas"]
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= set(schemas)
    assert "Problem" in named
