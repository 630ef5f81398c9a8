"""Summary: percentiles and limits whose answers can be counted on the fingers."""

from __future__ import annotations

from pathlib import Path

import pytest

from load_tests.__main__ import broken
from load_tests.summary import (
    Sample,
    Summary,
    percentile,
    read_limits,
    summarise,
    table,
    violations,
)
from load_tests.target import LoadTestError

HUNDRED = [float(value) for value in range(100, 0, -1)]  # 1..100, unsorted


@pytest.mark.parametrize(
    ("share", "expected"), [(0.50, 50), (0.95, 95), (0.99, 99), (1.0, 100), (0.0, 1)]
)
def test_percentile_of_one_to_hundred(share: float, expected: float) -> None:
    """Of the values 1 to 100 the nearest-rank percentile is the rank itself."""
    assert percentile(HUNDRED, share) == expected


def test_percentile_of_few_values_is_one_of_them() -> None:
    """Of two values the median is the lower and p99 the higher; of none there is none."""
    assert percentile([7.0, 3.0], 0.5) == 3.0
    assert percentile([7.0, 3.0], 0.99) == 7.0
    assert percentile([], 0.5) is None


def test_summary_counts_errors_apart_from_latencies() -> None:
    """Three answers in two seconds and one failure: 1.5 per second, the failure's time is out."""
    samples = [Sample(0.1, True, 0.5), Sample(0.2, True, 1.0), Sample(0.3, True, 2.0)]
    summary = summarise("run", [*samples, Sample(9.0, False, 1.5)])
    assert summary.requests == 4
    assert summary.metrics["throughput"] == pytest.approx(1.5)
    assert summary.metrics["p50_ms"] == pytest.approx(200)
    assert summary.metrics["p99_ms"] == pytest.approx(300)
    assert summary.metrics["errors"] == 1


def test_empty_run_measures_nothing() -> None:
    """No request: no metric has a value, so that no limit can pass."""
    assert set(summarise("run", []).metrics.values()) == {None}


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        ({"p99_ms": 300}, 0),
        ({"p99_ms": 299}, 1),
        ({"throughput": 1.5}, 0),
        ({"throughput": 1.6}, 1),
        ({"errors": 0}, 0),
        ({"p42_ms": 1000}, 1),
    ],
)
def test_limit_is_kept_or_broken(limits: dict[str, float], count: int) -> None:
    """Latency is limited from above, throughput from below, and an unknown metric always fails."""
    summary = summarise("run", [Sample(0.1, True, 1.0), *[Sample(0.3, True, 2.0)] * 2])
    assert len(violations(summary, limits)) == count


def test_absent_metric_breaks_its_limit() -> None:
    """A run without answers breaks every limit, however generous."""
    generous = {"p50_ms": 1e9, "p99_ms": 1e9, "throughput": 0.0, "errors": 1e9}
    assert len(violations(summarise("run", []), generous)) == 4


def test_run_that_did_not_happen_is_reported() -> None:
    """Limits for a run that is not in the table, and an empty run, are failures."""
    ran = summarise("http closed", [Sample(0.1, True, 1.0)])
    assert broken([ran], {}) == []
    assert broken([ran], {"grpc open": {}}) == ["grpc open: was not run"]
    assert broken([summarise("grpc open", [])], {}) == ["grpc open: errors was not measured"]


def test_table_shows_a_dash_for_what_was_not_measured() -> None:
    """One row per run, numbers with one decimal, a dash for None."""
    row = Summary(
        "run",
        3,
        {"throughput": 1.25, "p50_ms": 2.0, "p95_ms": None, "p99_ms": 4.0, "errors": 0.0},
    )
    head, line = table([row]).splitlines()
    assert head.replace(" ms", "").split()[:4] == ["run", "requests", "ok/s", "p50"]
    assert line.split() == ["run", "3", "1.2", "2.0", "-", "4.0", "0"]


def test_shipped_limits_name_real_runs_and_metrics() -> None:
    """The example file is readable and every metric in it is one that a run measures."""
    limits = read_limits(Path(__file__).parents[2] / "load_tests" / "thresholds.toml")
    measured = summarise("run", [Sample(0.1, True, 1.0)]).metrics
    assert set(limits) == {"http closed", "grpc closed", "grpc open"}
    assert all(set(one) <= set(measured) for one in limits.values())


def test_unreadable_limits_are_a_sentence(tmp_path: Path) -> None:
    """A file that is not there ends the run with a sentence, not a traceback."""
    with pytest.raises(LoadTestError, match="limits cannot be read"):
        read_limits(tmp_path / "nowhere.toml")
