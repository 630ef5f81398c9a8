"""Content hashes: of bytes and not of times, read once, and a decoder version nobody forgets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model_build.adapters import content
from model_build.adapters.content import decoder_version, file_hashes, version_of


def test_equal_bytes_have_equal_hashes_whatever_their_times(tmp_path: Path) -> None:
    """A copied or touched file keeps its hash."""
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    os.utime(two, (1, 1))
    first, second = file_hashes([one, two], tmp_path / "index.json", 1)
    assert first == second


def test_unchanged_files_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second call reads the changed file alone."""
    one, two, index = tmp_path / "1", tmp_path / "2", tmp_path / "index.json"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    before = file_hashes([one, two], index, 1)
    read: list[Path] = []
    original = content._hash
    monkeypatch.setattr(content, "_hash", lambda path: (read.append(path), original(path))[1])
    two.write_bytes(b"3")
    after = file_hashes([one, two], index, 1)
    assert read == [two]
    assert (after[0], after[1] != before[1]) == (before[0], True)


def test_a_change_behind_the_same_size_and_time_is_seen(tmp_path: Path) -> None:
    """The modification time can be set back, the change time cannot."""
    path, index = tmp_path / "1", tmp_path / "index.json"
    path.write_bytes(b"1")
    stat = path.stat()
    (before,) = file_hashes([path], index, 1)
    path.write_bytes(b"2")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert file_hashes([path], index, 1) != [before]


def test_the_decoder_version_follows_code_and_not_comments() -> None:
    """Another constant is another decoder; a comment is not."""
    assert version_of(["x = 1"]) == version_of(["x  =  1  # why\n"])
    assert version_of(["x = 1"]) != version_of(["x = 2"])
    assert len(decoder_version()) == 8


def test_the_decoder_version_covers_the_rooms_that_decide_hounsfield_units(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hounsfield, gate, resampling and the adapters are all in it."""
    seen: list[str] = []
    monkeypatch.setattr(content, "version_of", lambda sources: seen.extend(sources) or "")
    decoder_version()
    for name in ("def to_hu(", "def to_slice_size(", "RULES: tuple", "class CtIchSource"):
        assert any(name in source for source in seen), name
