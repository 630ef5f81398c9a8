"""Medians, ratios and tables of the serve bench, by hand."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from load_tests.results import read
from load_tests.serve_bench import rounds
from load_tests.serve_bench.__main__ import settings_of
from load_tests.serve_bench.measure import Load, Poisson, Run
from load_tests.serve_bench.report import kept, memory, number, ratio, table, text
from load_tests.serve_bench.rounds import Plan, Raw, Result, fitting, middle, row

RAWS = [Raw(4, 100.0, 9.0, 40.0), Raw(4, 50.0, 30.0, 80.0), Raw(4, 80.0, 10.0, 50.0)]
RUNS = [
    Run([0.010, 0.020, 0.030], 0, 90.0, {"worker": 0.001, "client": 0.002}),
    Run([0.040], 1, 48.0, {"worker": 0.003}),
    Run([], 2, 20.0, {"worker": 0.002, "client": 0.004}),
]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the figures by hand assume."""
    monkeypatch.setattr(rounds, "available_cores", lambda: 2)


def test_a_row_by_hand() -> None:
    """Rates 90, 48, 20 over 100, 50, 80 are 0.9, 0.96, 0.25; p50 of 20 and 40 ms is 30 ms.

    Busy: 3 ms x 90/s, 3 ms x 48/s and 6 ms x 20/s on two cores are 0.135, 0.072 and 0.06.
    """
    found = row("http single", 8, RUNS, RAWS)
    assert (found.requests, found.failures, found.slices_per_s) == (4, 3, 48.0)
    assert found.served_over_raw == pytest.approx(0.9)
    assert (found.p50_ms, found.p99_ms) == (pytest.approx(30.0), pytest.approx(35.0))
    assert found.cpu_ms_per_slice == pytest.approx({"client": 2.0, "worker": 2.0})
    assert found.cores_busy == pytest.approx(0.072)


def test_an_engine_that_answers_at_once_limits_nothing() -> None:
    """The ratio to it would say nothing."""
    assert row("http single", 8, RUNS, [Raw(4, 1e6, 0.01, 0.01)] * 3).served_over_raw is None


def test_raw_is_the_median_of_each_figure() -> None:
    """They need not come from the same round."""
    assert middle(RAWS) == Raw(4, 80.0, 10.0, 50.0)


@pytest.mark.parametrize(
    ("slices", "callers"), [(1, [1, 8, 128]), (36, [1, 7]), (300, [1])], ids=str
)
def test_no_more_callers_than_places(slices: int, callers: list[int]) -> None:
    """256 places take 7 series of 36; a request that fits nowhere still has one caller."""
    load = Load("some", slices, lambda target: nullcontext(None))  # type: ignore[arg-type,return-value]
    assert fitting(load, Plan(callers=(1, 8, 128), max_queue=256)) == callers


def result(**changed: Any) -> Result:
    """Something of everything."""
    fields: dict[str, Any] = {
        "engine": "real",
        "raw": middle(RAWS),
        "rows": [row("http single", 8, RUNS, RAWS)],
        "added_p50_ms": 1.25,
        "poisson": Poisson(56.0, 100, 1, 13.0, 40.0, 10.0, 20.0),
        "idle_share": 0.0042,
        "memory_mib": {"worker": [(300.4, 250.0)], "decode": [(60.0, 30.0), (61.0, 31.0)]},
    }
    return Result(**(fields | changed))


def test_the_table_has_a_cell_for_each_head() -> None:
    """A process that was not seen is a dash."""
    head, _, only = table(result().rows).splitlines()
    cells = [cell.strip() for cell in only.split("|")[1:-1]]
    assert len(cells) == head.count("|") - 1
    assert cells == [
        "http single",
        "8",
        "48.0",
        "0.900",
        "0.07",
        "30.00",
        "35.00",
        "2.00",
        "-",
        "2.00",
        "3",
    ]


def test_the_text_tells_what_was_found() -> None:
    """Idle share in per cent, memory by process, both ratios to the simulated queue."""
    shown = text(result())
    assert "0.42 % of a core" in shown
    assert "worker 300/250, decode 60/30, decode 61/31" in shown
    assert "p50 13.0 ms (1.30x of the simulated queue), p99 40.0 ms (2.00x)" in shown
    assert "Poisson" not in text(result(poisson=None))


def test_what_was_not_measured_is_a_dash() -> None:
    """Never a zero, which would look like a fact."""
    assert (number(None), ratio(None, 1.0), ratio(1.0, None), memory({})) == ("-", "-", "-", "")


def test_what_is_kept_can_stand_on_the_page(tmp_path: Path) -> None:
    """Loads and facts survive the file that `make performance` reads."""
    settings = settings_of(Plan(rounds=2), stub_ms=7.0)
    kept([result()], {"cores": 2}, settings).write(tmp_path / "serve.json")
    found = read(tmp_path / "serve.json")
    assert (found.settings["rounds"], found.settings["stub, ms a batch"]) == (2, 7.0)
    loads, facts = found.tables
    assert loads.rows[0]["slices/s"] == 48.0
    assert loads.rows[0]["decode ms"] is None
    assert facts.rows[0]["p50 over simulation"] == pytest.approx(1.3)
    assert facts.rows[0]["idle CPU, % of a core"] == pytest.approx(0.42)
