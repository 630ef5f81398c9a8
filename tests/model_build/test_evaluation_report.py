"""Evaluation report: what reaches the reader, in the terminal and in the two files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model_build.evaluation_report import EvaluationReport, render, save
from model_build.evaluation_table import Estimate, Row, Table

NOTE = "Measured on synthetic phantoms."


def comparison(low: float | None) -> Table:
    """A comparison with a baseline for one label whose difference has this lower end."""
    figures = {"difference": Estimate(0.05, low, None if low is None else 0.09)}
    return Table("Against the baseline", ("difference",), (Row("any", figures, 7),))


def report() -> EvaluationReport:
    """A small report with one row per table, written by hand."""
    scores = {"auroc": Estimate(0.9, 0.85, 0.95, "patient bootstrap"), "ece": Estimate(0.0123)}
    rates = {
        "sensitivity": Estimate(1.0, 0.832, 1.0, "Clopper-Pearson"),
        "precision": Estimate(None),
    }
    cut = Table("At a threshold", ("sensitivity", "precision"), (Row("any", rates, 7, 0.25),))
    ppv = Table("PPV", ("at 2 %",), (Row("any", {"at 2 %": Estimate(0.35)}, 7),))
    return EvaluationReport(
        level="slice",
        slices=100,
        patients=20,
        replicates=50,
        seed=3,
        any_consistent_share=0.875,
        challenge_loss=Estimate(0.2311, 0.2, 0.26, "patient bootstrap"),
        discrimination=Table("Discrimination", ("auroc", "ece"), (Row("any", scores, 7),)),
        at_half=cut,
        at_thresholds=cut,
        ppv_at_prevalence=ppv,
    )


def test_json_is_the_report_with_null_for_undefined() -> None:
    """Read back, the values are the numbers and an undefined figure is null."""
    data = json.loads(report().to_json())
    row = data["at_half"]["rows"][0]
    assert (row["name"], row["positives"], row["threshold"]) == ("any", 7, 0.25)
    assert row["figures"]["sensitivity"]["low"] == 0.832
    assert row["figures"]["precision"]["value"] is None
    assert data["against_baseline"] is None


def test_json_refuses_nan() -> None:
    """NaN is not JSON: it must have become None before."""
    with pytest.raises(ValueError, match="JSON"):
        replace(report(), challenge_loss=Estimate(float("nan"))).to_json()


def test_table_shows_value_and_interval() -> None:
    """Scores with three decimals, rates in percent, exact intervals starred, undefined as dash."""
    text = report().to_table()
    assert "0.900 [0.850, 0.950]" in text
    assert "0.0123" in text
    assert "100.0 [83.2, 100.0]*  -" in text
    assert "0.250" in text


def test_columns_are_aligned() -> None:
    """The figures of a row start below their heading."""
    table = replace(report().discrimination, title="")
    aligned = replace(report(), discrimination=table).to_table().splitlines()
    assert aligned[1].index("AUROC") == aligned[2].index("0.900")


def test_markdown_rows_have_the_cells_of_the_header() -> None:
    """Every line of a table has as many bars as its header, so that it renders as one."""
    for block in report().to_markdown().split("## ")[1:]:
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len(lines) == 3
        assert len({line.count("|") for line in lines}) == 1


def test_rendering_opens_with_what_the_figures_are() -> None:
    """Notice and data note come before any number."""
    first, second = render(report(), NOTE).splitlines()[:2]
    assert first == f"Research use only, not a medical device. {NOTE}"
    assert "100 slice scores of 20 patients" in second
    assert "0.2311 [0.2000, 0.2600]" in second
    assert "87.5 %" in second


@pytest.mark.parametrize(
    ("low", "sentence"),
    [
        pytest.param(0.01, "baseline in AUROC: any; not shown to be: none.", id="above"),
        pytest.param(-0.01, "baseline in AUROC: none; not shown to be: any.", id="crosses-zero"),
        pytest.param(None, "baseline in AUROC: none; not shown to be: any.", id="no-interval"),
    ],
)
def test_verdict_on_the_baseline_is_printed(low: float | None, sentence: str) -> None:
    """Clearly above means the whole interval; anything less is said."""
    assert sentence in render(report().with_baseline(comparison(low)), NOTE)


def test_saved_files_carry_notice_and_note(tmp_path: Path) -> None:
    """Neither file can be quoted without saying what it was measured on."""
    data_path, text_path = save(report(), tmp_path / "new", NOTE)
    data = json.loads(data_path.read_text(encoding="utf-8"))
    assert (data["data_note"], data["slices"]) == (NOTE, 100)
    assert "not a medical device" in data["notice"]
    assert NOTE in text_path.read_text(encoding="utf-8").split("##")[0]


def test_unknown_row_is_an_error() -> None:
    """Asking a table for a row that it lacks raises."""
    with pytest.raises(KeyError, match="epidural"):
        report().at_half.row("epidural")


def test_assumed_prevalence_is_said() -> None:
    """A reader must know what the probabilities assume; silence means as sampled."""
    assumed = replace(report(), assumed_prevalence=(None,) * 5 + (0.14328,))
    assert "14.3 % positive slices" in render(assumed, NOTE)
    assert "assume" not in render(report(), NOTE)


def test_further_tables_are_shown_after_the_others() -> None:
    """With their own number of slices; an unknown number is a dash."""
    rows = (
        Row("thin", {"auroc": Estimate(0.5)}, 2, slices=9),
        Row("thick", {"auroc": Estimate(None)}),
    )
    more = report().with_more(Table("By thickness", ("auroc",), rows))
    text = more.to_table().split("By thickness\n")[1].splitlines()
    assert text[0].split() == ["label", "n", "n+", "AUROC"]
    assert text[1].split() == ["thin", "9", "2", "0.500"]
    assert text[2].split() == ["thick", "-", "-", "-"]
    assert json.loads(more.to_json())["further"][0]["rows"][0]["slices"] == 9
