"""Ablations: each variant reads what its name says, and differences are paired."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from model_build.ablation_heads import Budget, fit
from model_build.ablations import (
    NO_DIFFERENCE,
    REFERENCE,
    ablate,
    compare,
    probabilities_of,
    readings,
    verdicts,
)
from service.model.conv_lstm import ConvLstm

SLICES, PATIENTS = 80, 20


@pytest.fixture(scope="module")
def network() -> ConvLstm:
    """An untrained network with its window head."""
    torch.manual_seed(0)
    return ConvLstm(256, window_head=True).eval()


@pytest.fixture(scope="module")
def features() -> Tensor:
    """Trunk features of no particular slices."""
    return torch.randn(SLICES, 10, 128, generator=torch.Generator().manual_seed(1))


def labels() -> np.ndarray:
    """Every label in both classes."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (SLICES, 6)).astype(np.uint8)


def patients() -> list[str]:
    """Four slices of each patient."""
    return [f"patient{row % PATIENTS}" for row in range(SLICES)]


def informed(noise: float) -> np.ndarray:
    """Probabilities that know the labels, more or less."""
    rng = np.random.default_rng(1)
    logits = 2.0 * (2.0 * labels() - 1) + noise * rng.normal(size=(SLICES, 6))
    return probabilities_of(logits.astype(np.float32))


def test_the_reference_is_the_networks_own_answer(network: ConvLstm, features: Tensor) -> None:
    """LSTM and head over all ten windows: what the service computes from these features."""
    found = readings(network, features, 0, {})
    with torch.inference_mode():
        expected = network.sequence_logits(features).numpy()
    assert next(iter(found)) == REFERENCE
    np.testing.assert_allclose(found[REFERENCE], expected, atol=1e-6)


def test_the_trace_is_the_lstm_on_a_prefix(network: ConvLstm, features: Tensor) -> None:
    """After t windows the logits are those of a sequence that ends there."""
    found = readings(network, features, 0, {})
    with torch.inference_mode():
        for count in (1, 4, 9):
            expected = network.sequence_logits(features[:, :count]).numpy()
            np.testing.assert_allclose(found[f"LSTM after {count} of 10"], expected, atol=1e-6)


def test_window_variants_come_from_the_window_head(network: ConvLstm, features: Tensor) -> None:
    """Each window alone, and the mean of the ten, by the stage-2 head."""
    found = readings(network, features, 0, {})
    with torch.inference_mode():
        each = network.window_logits(features).numpy()
    np.testing.assert_allclose(found["window brain alone"], each[:, 1], atol=1e-6)
    np.testing.assert_allclose(found["window grey_white alone"], each[:, 9], atol=1e-6)
    np.testing.assert_allclose(found["mean of window logits"], each.mean(axis=1), atol=1e-6)


def test_shuffling_is_reproducible_and_changes_the_answer(
    network: ConvLstm, features: Tensor
) -> None:
    """The same seed gives the same orders; another one, or none, other logits."""
    name = "LSTM, windows shuffled"
    first, again, other = (readings(network, features, seed, {})[name] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    assert np.abs(first - readings(network, features, 0, {})[REFERENCE]).max() > 1e-3


def test_the_table_holds_every_variant(network: ConvLstm, features: Tensor) -> None:
    """Nothing is left out, also trained heads and other networks; differences are to the LSTM."""
    head = fit("mean", features, torch.from_numpy(labels()), 0, Budget(1))
    table = ablate(
        network,
        features,
        labels(),
        patients(),
        3,
        heads={"mean over windows, trained": head},
        others={"three windows as channels": informed(1.0)},
        validation=(features.flip(0), labels()),
        replicates=50,
    )
    names = [row.name for row in table.rows]
    assert len(names) == 3 + 10 + 1 + 9 + 1
    assert names[0] == REFERENCE
    assert {"mean over windows, trained", "three windows as channels"} <= set(names)
    own = table.row(REFERENCE).figures
    assert own["auroc_difference"].value == 0.0
    assert own["auroc_difference"].low is None
    for row in table.rows:
        expected = row.figures["auroc"].value - own["auroc"].value  # type: ignore[operator]
        assert row.figures["auroc_difference"].value == pytest.approx(expected)


def test_calibration_on_other_patients_lowers_a_bad_log_loss(
    network: ConvLstm, features: Tensor
) -> None:
    """Untrained logits are far off; with validation slices each variant gets its own scale."""
    loud = features * 20
    plain = ablate(network, loud, labels(), patients(), 0, replicates=20)
    tuned = ablate(
        network, loud, labels(), patients(), 0, validation=(loud, labels()), replicates=20
    )
    for name in ("mean of window logits", "window brain alone"):
        before, after = (table.row(name).figures["log_loss"].value for table in (plain, tuned))
        assert after < before  # type: ignore[operator]


def test_better_worse_and_no_difference_are_told_apart() -> None:
    """Less noise is better, more is worse, the same figures differ in nothing."""
    scores = {
        "base": informed(3.0),
        "sharp": informed(0.5),
        "blunt": informed(12.0),
        "twin": informed(3.0),
    }
    table = compare(scores, labels(), patients(), 0, reference="base", replicates=200)
    assert verdicts(table) == {
        "base": NO_DIFFERENCE,
        "sharp": "better",
        "blunt": "worse",
        "twin": NO_DIFFERENCE,
    }


def test_one_class_leaves_the_macro_average_undefined() -> None:
    """An average over six labels is over six, or there is none; the loss stays."""
    single = labels()
    single[:, 0] = 0
    table = compare({REFERENCE: informed(1.0)}, single, patients(), 0, replicates=20)
    figures = table.row(REFERENCE).figures
    assert figures["auroc"].value is None
    assert figures["auroc_any"].value is not None
    assert figures["log_loss"].value is not None


def test_what_does_not_fit_is_refused(network: ConvLstm, features: Tensor) -> None:
    """No reference, other shapes, nine windows."""
    with pytest.raises(ValueError, match="reference"):
        compare({"other": informed(1.0)}, labels(), patients(), 0)
    with pytest.raises(ValueError, match="one row of six"):
        compare({REFERENCE: informed(1.0)[1:]}, labels(), patients(), 0)
    with pytest.raises(ValueError, match="one patient"):
        compare({REFERENCE: informed(1.0)}, labels(), patients()[1:], 0)
    with pytest.raises(ValueError, match="ten windows"):
        readings(network, features[:, :9], 0, {})
    with pytest.raises(RuntimeError, match="window head"):
        readings(ConvLstm(256), features, 0, {})
