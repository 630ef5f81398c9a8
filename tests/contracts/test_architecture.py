"""The shape of the source tree: size caps, docstrings, annotations, import contracts."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("service", "model_build", "tests", "load_tests", "deploy")
FILE_CAP, FUNCTION_CAP = 250, 50

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*rooms: str) -> list[Path]:
    """Every hand-written Python file of some rooms."""
    found = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    return sorted(path for path in found if "_pb2" not in path.name)


def body_length(function: Function) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    documented = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    doc = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - doc


def functions(source: str) -> Iterator[Function]:
    """Every function of a module, methods and inner ones included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            yield node


def oversized(source: str) -> list[str]:
    """What of a module is over a cap."""
    found = [node.name for node in functions(source) if body_length(node) > FUNCTION_CAP]
    return found + (["file"] if len(source.splitlines()) > FILE_CAP else [])


def unannotated(source: str) -> list[str]:
    """Arguments without a type, as function.argument."""
    found = []
    for node in functions(source):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        found += [
            f"{node.name}.{argument.arg}"
            for argument in arguments
            if argument.annotation is None and argument.arg not in ("self", "cls")
        ]
    return found


@pytest.mark.parametrize("path", sources(*ROOMS), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_keeps_to_the_caps_and_says_what_it_is(path: Path) -> None:
    """At most 250 lines, functions of at most 50, a docstring, every argument annotated."""
    source = path.read_text(encoding="utf-8")
    assert oversized(source) == []
    assert ast.get_docstring(ast.parse(source)), "a module without a docstring"
    assert unannotated(source) == []


def test_the_median_file_and_most_functions_are_short() -> None:
    """Half of the product's files have at most 125 lines, nine of ten functions at most 25."""
    texts = [path.read_text(encoding="utf-8") for path in sources("service", "model_build")]
    lengths = sorted(len(text.splitlines()) for text in texts)
    assert lengths[len(lengths) // 2] <= 125
    bodies = sorted(body_length(node) for text in texts for node in functions(text))
    assert bodies[int(len(bodies) * 0.9)] <= 25


def test_the_caps_can_fail() -> None:
    """A long function, a long file and a bare argument are each found."""
    long_function = "def f():\n" + "    x = 1\n" * 51
    assert oversized(long_function) == ["f"]
    assert oversized("x = 1\n" * 251) == ["file"]
    assert unannotated("def f(a, b: int): ...") == ["f.a"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the root of the repository."""
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_import_contracts_are_kept() -> None:
    """import-linter finds no import that points up or sideways (.importlinter)."""
    result = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


def test_importing_the_service_loads_no_torch() -> None:
    """The arbiter process imports the module too; torch belongs to the worker alone."""
    code = "import sys, service.service; sys.exit('torch' in sys.modules)"
    result = run(sys.executable, "-W", "ignore", "-c", code)
    assert result.returncode == 0, result.stderr


def test_the_decode_process_loads_neither_torch_nor_a_framework() -> None:
    """A decode child must start fast and small."""
    code = (
        "import sys, service.dicom.worker; "
        "sys.exit(bool({'torch', 'fastapi', 'grpc', 'bentoml'} & set(sys.modules)))"
    )
    assert run(sys.executable, "-c", code).returncode == 0
