"""Abstention: signals, risk and what is kept, by hand; undefined stays null."""

from __future__ import annotations

import numpy as np
import pytest

from model_build import abstention, intervals

SURE_FIRST = np.array([0.1, 0.2, 0.3, 0.4])


def calls(
    scores: list[float], labels: list[int], prevalence: float | None = None
) -> abstention.Calls:
    """The answers of one slice per patient at a threshold of one half."""
    resampling = intervals.draw([f"p{k}" for k in range(len(scores))], 200, 0)
    return abstention.Calls(np.array(scores), np.array(labels), 0.5, prevalence, resampling)


def figures(row: str, signal: np.ndarray, cut: float, given: abstention.Calls) -> dict[str, object]:
    """The point values of one row of the table of one signal."""
    table = abstention.table({"doubt": signal}, {"doubt": cut}, given)
    return {name: figure.value for name, figure in table.row(row).figures.items()}


def test_every_network_has_its_entropy() -> None:
    """Largest at one half, nothing at 0 and 1; no other signal without window logits."""
    p = np.tile(np.array([[0.0], [0.5], [1.0], [0.9]]), (1, 6))
    found = abstention.signals(p, np.zeros((4, 6)))
    assert list(found) == [abstention.ENTROPY]
    np.testing.assert_allclose(found[abstention.ENTROPY], [0, np.log(2), 0, 0.325083], atol=1e-6)


def test_windows_that_disagree_are_a_signal() -> None:
    """Of `any`: half of the windows say 0, half 2: variance 1, mean 1; the LSTM says 3."""
    windows = np.zeros((1, 10, 6))
    windows[0, :5, 5] = 2.0
    found = abstention.signals(np.full((1, 6), 0.5), np.full((1, 6), 3.0), windows)
    assert found[abstention.WINDOW_VARIANCE].tolist() == [1.0]
    assert found[abstention.LSTM_GAP].tolist() == [2.0]


def test_limit_is_the_95th_percentile() -> None:
    """Of 0..100 it is 95."""
    assert abstention.limits({"doubt": np.arange(101.0)}) == {"doubt": 95.0}


def test_area_under_the_risk_by_hand() -> None:
    """The least sure of four is wrong: risks 0, 0, 0, 1/4; the surest: 1, 1/2, 1/3, 1/4."""
    wrong_last = calls([0.9, 0.9, 0.1, 0.1], [1, 1, 0, 1])
    wrong_first = calls([0.1, 0.9, 0.1, 0.9], [1, 1, 0, 1])
    assert figures("doubt", SURE_FIRST, 9.0, wrong_last)["aurc"] == pytest.approx(1 / 16)
    expected = (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4
    assert figures("doubt", SURE_FIRST, 9.0, wrong_first)["aurc"] == pytest.approx(expected)


def test_a_signal_without_order_has_the_error_as_its_area() -> None:
    """All equally sure: the order of the rows must not matter; the row without abstention too."""
    given = calls([0.9, 0.9, 0.1, 0.1], [1, 1, 0, 1])
    assert figures("doubt", np.zeros(4), 9.0, given)["aurc"] == pytest.approx(0.25)
    assert figures(abstention.NOBODY, SURE_FIRST, 9.0, given)["aurc"] == pytest.approx(0.25)


def test_what_is_kept_by_hand() -> None:
    """One of four beyond the limit, and it was the wrong one."""
    given = calls([0.9, 0.8, 0.1, 0.2], [1, 1, 0, 1])
    table = abstention.table({"doubt": SURE_FIRST}, {"doubt": 0.35}, given)
    row, all_rows = table.row("doubt"), table.row(abstention.NOBODY)
    assert (row.slices, row.positives, row.threshold) == (3, 2, 0.35)
    values = {name: figure.value for name, figure in row.figures.items()}
    assert values["abstained"] == pytest.approx(0.25)
    assert (values["accuracy"], values["auroc"]) == (1.0, 1.0)
    assert all_rows.figures["accuracy"].value == pytest.approx(0.75)
    assert all_rows.figures["abstained"].value == 0.0
    assert (all_rows.slices, all_rows.threshold) == (4, None)


def test_figures_are_weighed_to_the_prevalence() -> None:
    """One of four positives is wrong, no negative: at 20 % the error is 5 %, not 12.5 %.

    Withholding two positives of the eight slices withholds half of the positives, 10 %.
    """
    given = calls([0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1], [1, 1, 1, 1, 0, 0, 0, 0], 0.2)
    doubt = np.array([0.0, 0.1, 0.8, 0.9, 0.2, 0.3, 0.4, 0.5])
    assert figures(abstention.NOBODY, doubt, 0.7, given)["accuracy"] == pytest.approx(0.95)
    assert figures(abstention.NOBODY, doubt, 0.7, given)["aurc"] == pytest.approx(0.05)
    kept = figures("doubt", doubt, 0.7, given)
    assert kept["abstained"] == pytest.approx(0.1)
    assert kept["accuracy"] == 1.0


def test_undefined_stays_null() -> None:
    """One class kept has no AUROC; nothing kept has neither; one class has no weights."""
    given = calls([0.9, 0.8, 0.1, 0.2], [1, 1, 0, 0])
    assert figures("doubt", SURE_FIRST, 0.25, given)["auroc"] is None
    empty = figures("doubt", SURE_FIRST, 0.0, given)
    assert (empty["accuracy"], empty["auroc"], empty["abstained"]) == (None, None, 1.0)
    single = figures("doubt", SURE_FIRST, 9.0, calls([0.9, 0.8, 0.1, 0.2], [0] * 4, 0.1))
    assert set(single.values()) == {None}


def test_intervals_hold_their_figures() -> None:
    """Over patients, also where figures are weighed."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    scores = np.clip(rng.normal(0.3 + 0.4 * labels, 0.25), 0, 1)
    given = calls(scores.tolist(), labels.tolist(), 0.143)
    doubt = -np.abs(scores - 0.5)
    row = abstention.table({"doubt": doubt}, {"doubt": -0.03}, given).row("doubt")
    for figure in row.figures.values():
        assert figure.low < figure.value < figure.high  # type: ignore[operator]
    # The surest first is better than no order.
    assert row.figures["aurc"].value < 1 - given.right.mean()  # type: ignore[operator]


def test_curve_ends_at_the_error_of_all() -> None:
    """Coverage rises to 1; risk is that of the surest slices so far."""
    given = calls([0.9, 0.9, 0.1, 0.1], [1, 1, 0, 1])
    (curve,) = abstention.curves({"doubt": SURE_FIRST}, given)
    assert (curve.kind, curve.label) == ("risk by coverage, doubt", "any")
    assert curve.x == (0.25, 0.5, 0.75, 1.0)
    assert curve.y == (0.0, 0.0, 0.0, 0.25)
    assert curve.slices == (1, 2, 3, 4)
