"""The cache of torch.compile: in a folder that is ours alone, and never a reason to fail."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.engine import compile_cache
from service.engine.compile_cache import VARIABLE, is_private, use_cache


@pytest.fixture(autouse=True)
def at_exit(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Any]]:
    """No cache chosen yet; what would be done at the end of the process."""
    monkeypatch.setenv(VARIABLE, "x")  # so that it is put back after the test
    monkeypatch.delenv(VARIABLE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    found: list[Callable[[], Any]] = []
    monkeypatch.setattr(
        atexit, "register", lambda run, *args, **more: found.append(lambda: run(*args, **more))
    )
    return found


def test_the_cache_is_kept_in_a_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the user's cache, open to nobody else; the next start finds the same one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = use_cache()
    assert folder == tmp_path / "ich-serve" / "inductor"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert os.environ[VARIABLE] == str(folder)
    monkeypatch.delenv(VARIABLE)
    assert use_cache() == folder


def test_a_folder_that_was_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is documented by torch, and wins."""
    monkeypatch.setenv(VARIABLE, "/elsewhere")
    assert use_cache() == Path("/elsewhere")


@pytest.mark.parametrize("mode", [0o777, 0o750, 0o704])
def test_a_folder_that_others_can_enter_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    """The machine code that lies there would be run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    use_cache().chmod(mode)
    monkeypatch.delenv(VARIABLE)
    assert not use_cache().is_relative_to(tmp_path / "ich-serve")


def test_a_link_is_no_folder_of_ours(tmp_path: Path) -> None:
    """It may lead anywhere."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert is_private(tmp_path / "real")
    assert not is_private(tmp_path / "link")


def test_a_folder_of_another_user_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its mode."""
    tmp_path.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert not is_private(tmp_path)


@pytest.mark.parametrize("failure", [OSError("read-only"), RuntimeError("no home")])
def test_without_a_place_to_keep_it_the_cache_ends_with_the_process(
    monkeypatch: pytest.MonkeyPatch, at_exit: list[Callable[[], Any]], failure: Exception
) -> None:
    """A read-only system or a user without a home: a private temporary folder, then removed."""

    def refuse() -> Path:
        raise failure

    monkeypatch.setattr(compile_cache.Path, "home", refuse)
    folder = use_cache()
    assert is_private(folder)
    (clean_up,) = at_exit
    clean_up()
    assert not folder.exists()
