"""Tests of the report: limits belong to what passes, and one miss fails the whole."""

from __future__ import annotations

import json

import pytest

from model_build.synthetic.measure import Report, measure


@pytest.mark.parametrize(
    ("value", "low", "high", "passed"),
    [
        (0.5, 0.5, 0.7, True),
        (0.7, 0.5, 0.7, True),
        (0.71, 0.5, 0.7, False),
        (0.49, 0.5, 0.7, False),
        (0.49, None, 0.7, True),
        (0.71, 0.5, None, True),
        (0.71, None, None, None),
        (None, 0.5, 0.7, None),
        (float("nan"), 0.5, 0.7, None),
    ],
)
def test_limits(
    value: float | None, low: float | None, high: float | None, passed: bool | None
) -> None:
    """Both limits are inclusive; no limit and no figure decide nothing."""
    assert measure("x", value, low, high).passed is passed


def test_one_miss_fails_the_report() -> None:
    """What was not measured does not fail it, a missed limit does."""
    good, missing = measure("good", 1.0, 0.0, 2.0), measure("missing", None, 0.0, 1.0)
    bad = measure("bad", 3.0, 0.0, 2.0, "HU")
    assert Report(1, 2, (good, missing)).passed
    report = Report(1, 2, (good, missing, bad))
    assert not report.passed
    assert report.value("bad") == 3.0
    with pytest.raises(KeyError):
        report.value("worse")


def test_report_says_what_it_is() -> None:
    """Text and JSON carry the figures, the limits, the verdict and the notice."""
    report = Report(1, 2, (measure("bad", 3.0, 0.0, 2.0, "HU"), measure("missing", None)))
    text = report.text()
    assert "FAIL  bad" in text
    assert "3.000 HU" in text
    assert "0 to 2" in text
    assert text.endswith("1 limits missed, 1 figures not measured (too few slices or heads)")
    assert "not a medical device" in text
    data = json.loads(json.dumps(report.as_dict()))
    assert data["measures"][0]["passed"] is False
    assert "Synthetic" in data["notice"]
