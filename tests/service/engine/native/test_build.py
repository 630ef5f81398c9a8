"""Build: the library of exactly these sources, or one line that says why there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.engine.native import build as module
from service.engine.native.build import OBJECTS, SOURCES, build, expected_library, find_compiler


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place where nothing was built yet."""
    monkeypatch.setattr(module, "BUILT", tmp_path / "built")
    return tmp_path


@pytest.mark.skipif(find_compiler() is None, reason="no C++ compiler on PATH")
def test_the_library_of_these_sources_was_built() -> None:
    """`make setup` builds it wherever there is a compiler."""
    assert expected_library().exists()


def test_other_sources_have_another_library(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that was built before a change is not found after it."""
    before = expected_library()
    sources = empty / "src"
    sources.mkdir()
    for path in SOURCES.iterdir():
        (sources / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(module, "SOURCES", sources)
    assert expected_library() == before
    with (sources / "team.cpp").open("a") as stream:
        stream.write("\n")
    assert expected_library() != before


def test_every_source_is_compiled() -> None:
    """A .cpp that is not on the list would be missing from the library."""
    assert {path.stem for path in SOURCES.glob("*.cpp")} == set(OBJECTS)


def test_no_flag_depends_on_the_machine_that_builds() -> None:
    """-march=native would make a library that ends with an illegal instruction elsewhere."""
    flags = [*module.COMMON, *(flag for flags in OBJECTS.values() for flag in flags)]
    assert not [flag for flag in flags if "march" in flag or "fast-math" in flag]
    assert not [flag for flag in (*module.COMMON, *OBJECTS["api"]) if flag.startswith("-m")]


def test_code_of_one_instruction_set_stays_unnamed() -> None:
    """No header of the kernels defines a name that a linker could share between variants."""
    shared = {"processor.h", "team.h", "variant.h"}
    for path in SOURCES.glob("*.h"):
        text = path.read_text(encoding="utf-8")
        if path.name not in shared:
            assert "namespace {" in text
            assert "#include <vector>" not in text


def test_no_compiler_is_no_failure(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is built, and the line says so."""
    monkeypatch.setattr(module, "find_compiler", lambda: None)
    outcome = build()
    assert (outcome.library, outcome.failed) == (None, False)
    assert "no C++ compiler" in outcome.text or "Linux" in outcome.text


def test_a_compiler_is_found_by_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of the known names; None on a PATH without one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_compiler() is None
    (tmp_path / "g++").write_text("#!/bin/sh\n")
    (tmp_path / "g++").chmod(0o755)
    assert find_compiler() == str(tmp_path / "g++")


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="x86-64 only")
def test_a_compiler_that_refuses_is_a_failure(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with the first error, a nonzero exit, and no half a library."""
    fake = empty / "g++"
    fake.write_text("#!/bin/sh\necho 'kernels.h:1: error: no such thing' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(module, "find_compiler", lambda: str(fake))
    assert module.main() == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert "no such thing" in build().text
    assert list((empty / "built").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="x86-64 only")
def test_an_old_compiler_builds_without_tiles(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variants that it does not know are left out and named; the library is there."""
    fake, linked = empty / "g++", empty / "linked"
    fake.write_text(
        "#!/bin/sh\n"
        "case \"$*\" in *-mamx*) echo 'error: unknown -mamx-tile' >&2; exit 1;; esac\n"
        f'case "$*" in *-shared*) echo "$*" > {linked};; esac\n'
        'for last; do :; done\necho built > "$last"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setattr(module, "find_compiler", lambda: str(fake))
    outcome = build()
    assert (outcome.library, outcome.failed) == (expected_library(), False)
    assert "without amx (error: unknown -mamx-tile)" in outcome.text
    parts = {Path(word).stem for word in linked.read_text().split() if word.endswith(".o")}
    assert parts == {"avx2", "avx512", "avx512_bf16", "processor", "team", "api"}


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="x86-64 only")
def test_a_built_library_replaces_older_ones(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that writes its output file: the new library is there, the old one gone."""
    fake = empty / "g++"
    fake.write_text('#!/bin/sh\nfor last; do :; done\necho built > "$last"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(module, "find_compiler", lambda: str(fake))
    old = empty / "built" / "ich_native_0000.so"
    old.parent.mkdir()
    old.touch()
    outcome = build()
    assert (outcome.library, outcome.changed) == (expected_library(), True)
    assert [path.name for path in old.parent.iterdir()] == [expected_library().name]
    assert build().changed is False


def test_the_command_works_without_torch() -> None:
    """It runs while the environment is being made; importing torch would cost seconds."""
    code = "import sys, service.engine.native.build; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
