"""Interpreter: the kernel tests, in a process where Triton runs without a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_kernels_are_right_in_the_interpreter() -> None:
    """Triton reads TRITON_INTERPRET when it is imported: a process of its own keeps it apart."""
    pytest.importorskip("triton")
    tests = Path(__file__).with_name("test_kernels.py")
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert found.returncode == 0, found.stdout
    assert " passed" in found.stdout
    assert "skipped" not in found.stdout
