"""Pictures made of a head that are none: what becomes of its values, and what the gate says."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.gate_families import FAMILIES, inverted, magnetic, noise, verdict
from tests.factories import head_hu

HEAD = head_hu(512)
SPACING = (0.488, 0.488)
ROW = np.array([[-1000, 0, 30, 1000]], np.int16)


def test_the_head_itself_passes() -> None:
    """The control of all the others."""
    assert verdict(HEAD, SPACING) == "passed"


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_is_found(name: str) -> None:
    """Of a slice with much brain each family is skipped, or warned of at least."""
    made = FAMILIES[name](HEAD)
    assert (made.dtype, made.shape) == (np.int16, HEAD.shape)
    assert verdict(made, SPACING) in ("skipped", "warned")


def test_a_head_that_is_shifted_is_warned_of() -> None:
    """The third verdict."""
    assert verdict((HEAD - 30).astype(np.int16), SPACING) == "warned"


def test_values_by_hand() -> None:
    """Inverted, at another slope, without the intercept, and as signals."""
    assert inverted(ROW).tolist() == [[1000, 0, -30, -1000]]
    assert FAMILIES["slope 2 instead of 1"](ROW).tolist() == [[-976, 1024, 1084, 3024]]
    assert FAMILIES["slope 0.5 instead of 1"](ROW).tolist() == [[-1012, -512, -497, -12]]
    assert FAMILIES["intercept forgotten"](ROW).tolist() == [[24, 1024, 1054, 2024]]
    assert magnetic(1000.0)(ROW).tolist() == [[-1004, -174, -524, -944]]


def test_noise_keeps_every_value() -> None:
    """Its histogram is that of the head, and it is the same each time."""
    made = noise(HEAD)
    assert np.array_equal(np.sort(made, axis=None), np.sort(HEAD, axis=None))
    assert not np.array_equal(made, HEAD)
    assert np.array_equal(made, noise(HEAD))
