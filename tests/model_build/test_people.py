"""People: a person drawn again is the one of the series, and only for the present generator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model_build import people, truth
from model_build.synthetic.generate import generate
from model_build.synthetic.series import SeriesRequest, build_phantom, subject_of


def test_the_person_is_that_of_the_series() -> None:
    """All numbers of the person, from the seed alone."""
    request = SeriesRequest(0, 1, 987654321, bleeding=False, mode="training", slices=1)
    assert build_phantom(request).anatomy.subject == subject_of(987654321)


@pytest.mark.parametrize(
    ("changes", "group"),
    [
        ({}, "none"),
        ({"pineal_hu": 90.0}, "pineal or choroid only"),
        ({"choroid_hu": 90.0}, "pineal or choroid only"),
        ({"pineal_hu": 90.0, "vessel_hu": 200.0}, "ganglia, falx, siphon or granuloma"),
    ],
)
def test_calcification_by_hand(changes: dict[str, float], group: str) -> None:
    """What is beyond the calcium of most people names the group."""
    bare = dict.fromkeys(
        ("pineal_hu", "choroid_hu", "ganglia_hu", "falx_plaque_hu", "vessel_hu"), 0.0
    )
    person = subject_of(3)
    person = replace(person, findings=replace(person.findings, speck_hu=0.0), **(bare | changes))
    assert people.calcification(person) == group


def test_factors_come_with_the_truth_of_a_set(tmp_path: Path) -> None:
    """The columns of truth.csv and those of the person, one value per slice."""
    generate(tmp_path, series=1, seed=4, workers=1, progress=False, slices=1)
    name = next((tmp_path / "dicom").iterdir()).stem
    found = truth.read_truth(tmp_path / "truth.csv", [name]).factors
    assert {"calcification", "operated", "atrophy", "kvp"} <= set(found)
    assert found["operated"].shape == (1,)
    assert 0 <= float(found["atrophy"][0]) <= 1


def test_another_generators_set_has_no_such_factors(tmp_path: Path) -> None:
    """Its seeds would give other people."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "training-r0-4-0-000000.csv").write_text("")
    assert people.factors(tmp_path, ["00ab"]) == {}
