"""What a corpus run complains about, and the table that it writes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from load_tests.corpus.verdicts import Answer, Verdict, complaints, summary, write_csv

GOOD = Answer("http", "200", "classified", ("monochrome1",))
REFUSED = Answer("http", "422", "modality", ("modality",))


def row(answer: Answer, **changed: float) -> Verdict:
    """A cheap, fast verdict on one file."""
    return Verdict("a/b.dcm", answer, **({"ms": 5.0, "cpu_ms": 4.0, "growth_kib": 100} | changed))  # type: ignore[arg-type]


def test_verdicts_in_time_are_no_complaint() -> None:
    """Classified and refused files both have their verdict."""
    assert complaints([row(GOOD), row(GOOD)]) == []
    assert complaints([row(REFUSED)]) == []


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (row(Answer("http", "500", "internal")), "answered 500 internal"),
        (row(Answer("http", "504", "decode_timeout")), "answered 504"),
        (row(Answer("http", "0", "unanswered")), "answered 0 unanswered"),
        (row(Answer("grpc", "INTERNAL", "internal")), "answered INTERNAL"),
        (row(Answer("grpc", "DEADLINE_EXCEEDED", "decode_timeout")), "answered DEADLINE"),
        (row(GOOD, ms=1001.0), "took 1001 ms"),
        (row(GOOD, growth_kib=65537), "memory grew by 65537 KiB"),
        (row(GOOD, deaths=1), "1 process(es) of the service ended"),
    ],
)
def test_each_fault_is_a_complaint(broken: Verdict, words: str) -> None:
    """A failure, a slow answer, a costly answer and a death each fail the run, by file."""
    (sentence,) = complaints([row(GOOD), broken][1:])
    assert sentence.startswith("a/b.dcm")
    assert words in sentence


def test_each_frame_has_its_second() -> None:
    """An object of two frames may take two seconds, and not more."""
    two = Answer("http", "200", "classified", (), slices=2)
    assert complaints([row(two, ms=1999.0)]) == []
    (sentence,) = complaints([row(two, ms=2001.0)])
    assert "took 2001 ms, the limit is 2000" in sentence


def test_on_a_busy_machine_processor_time_counts() -> None:
    """What waited for a processor is no complaint, what used one for too long is."""
    assert complaints([row(GOOD, ms=5000.0)], busy=True) == []
    (sentence,) = complaints([row(GOOD, ms=5000.0, cpu_ms=1001.0)], busy=True)
    assert "took 1001 ms" in sentence


def test_transports_that_disagree_are_a_complaint() -> None:
    """One file, two codes."""
    other = row(Answer("grpc", "FAILED_PRECONDITION", "modality"))
    assert complaints([row(GOOD), other]) == [
        "a/b.dcm: the transports disagree: classified, modality"
    ]


def test_files_that_must_be_classified() -> None:
    """A refused file of the pattern is a complaint, and so is a pattern without a file."""
    assert complaints([row(GOOD)], "a/*.dcm") == []
    assert complaints([row(REFUSED)], "a/*.dcm") == ["a/b.dcm (http): modality, not classified"]
    assert complaints([row(GOOD)], "c/*") == ["c/*: matches no file"]


def test_an_empty_run_is_a_complaint() -> None:
    """Nothing was sent, so nothing was shown."""
    assert complaints([]) == ["no file was sent"]


def test_table(tmp_path: Path) -> None:
    """The CSV has one line per request, the summary counts by code."""
    verdicts = [row(GOOD), row(REFUSED, ms=9.0), row(REFUSED)]
    write_csv(verdicts, tmp_path / "verdicts.csv")
    with (tmp_path / "verdicts.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [item["code"] for item in rows] == ["classified", "modality", "modality"]
    assert rows[0] == {
        "file": "a/b.dcm",
        "transport": "http",
        "status": "200",
        "code": "classified",
        "violations": "monochrome1",
        "slices": "1",
        "ms": "5.0",
        "cpu_ms": "4",
        "growth_kib": "100",
        "deaths": "0",
    }
    words = [line.split() for line in summary(verdicts).splitlines()]
    assert ["http", "200", "classified", "1"] in words
    assert ["http", "422", "modality", "2"] in words
    assert ["modality", "2"] in words
