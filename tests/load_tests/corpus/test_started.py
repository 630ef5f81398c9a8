"""Which service a corpus run talks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from load_tests.corpus.__main__ import main
from load_tests.corpus.started import named
from load_tests.target import LoadTestError


@pytest.mark.parametrize(
    ("text", "url", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:3000", "127.0.0.1:50051"),
        ("localhost:4000", "http://localhost:4000", "localhost:50051"),
        ("127.0.0.1:4000:4001", "http://127.0.0.1:4000", "127.0.0.1:4001"),
    ],
)
def test_target_as_text(text: str, url: str, address: str) -> None:
    """Host and ports, the settings' own where they are left out."""
    target = named(text, {})
    assert (target.url, target.address) == (url, address)
    assert named("127.0.0.1", {"ICH_HTTP_PORT": "5"}).http_port == 5


@pytest.mark.parametrize("text", ["example.org", "127.0.0.1:x", "127.0.0.1:1:2:3"])
def test_other_targets_are_refused(text: str) -> None:
    """A patient's service elsewhere is never sent a corpus of attacks."""
    with pytest.raises(LoadTestError):
        named(text, {})


def test_a_run_without_files_or_service_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one sentence: no folder, then no service behind the target."""
    out = ["--out", str(tmp_path / "out"), "--target", "127.0.0.1:1:1"]
    assert main([str(tmp_path / "nothing"), *out]) == 2
    assert "CORPUS" in capsys.readouterr().err
    (tmp_path / "file").write_bytes(b"x")
    assert main([str(tmp_path), *out]) == 2
    assert "No service answers" in capsys.readouterr().err


def test_no_folder_is_not_the_working_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """`make corpus` without CORPUS sends nothing, instead of everything below the checkout."""
    with pytest.raises(SystemExit, match="2"):
        main([""])
    assert "CORPUS" in capsys.readouterr().err
