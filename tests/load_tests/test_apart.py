"""Apart: one process for all calls, with settings of its own."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from load_tests.apart import Apart


def counter(start: int) -> Callable[[int], tuple[int, int]]:
    """Counts up from `start`; says in which process."""
    total = start

    def add(more: int) -> tuple[int, int]:
        nonlocal total
        if more < 0:
            raise ValueError("no less")
        total += more
        return total, os.getpid()

    return add


def test_calls_reach_one_process_that_keeps_its_state() -> None:
    """10 + 1 + 2, not here; what it raises is raised here."""
    with Apart(counter, 10) as add:
        (_, first), (total, second) = add(1), add(2)
        with pytest.raises(ValueError, match="no less"):
            add(-1)
    assert total == 13
    assert first == second != os.getpid()
