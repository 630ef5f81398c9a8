"""The simulated queue, by hand."""

from __future__ import annotations

import pytest

from load_tests.serve_bench.queue_model import between, simulate


def test_a_lone_server_by_hand() -> None:
    """Batches of one, 2 s each: arrivals at 0, 1 and 5 are answered at 2, 4 and 7."""
    assert simulate([0.0, 1.0, 5.0], lambda size: 2.0, 1) == [2.0, 3.0, 2.0]


def test_what_waits_shares_a_batch() -> None:
    """While the first runs three arrive; two fit the next batch, the third comes after it."""
    found = simulate([0.0, 0.1, 0.2, 0.3], lambda size: 1.0, 2)
    assert found == pytest.approx([1.0, 1.9, 1.8, 2.7])


def test_batch_size_decides_the_time() -> None:
    """1 s alone, 3 s for five, 2 s for three between them; of an engine of single slices 1 s."""
    seconds_of = between(1.0, 3.0, 5)
    assert [seconds_of(size) for size in (1, 3, 5)] == [1.0, 2.0, 3.0]
    assert between(1.0, 1.0, 1)(1) == 1.0


def test_nobody_arrives() -> None:
    """No request, no latency."""
    assert simulate([], lambda size: 1.0, 4) == []
