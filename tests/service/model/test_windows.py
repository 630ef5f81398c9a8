"""The ten windows of the paper: limits, order, arithmetic at the limits."""

from __future__ import annotations

import pytest
import torch

from service.model.windows import FIXED_WINDOWS, WINDOW_NAMES, SystematicWindows

# Lower and upper limits in HU as printed in Table 4 of the paper, windows 1 to 9.
TABLE_4 = (
    ("brain", 0.0, 80.0),
    ("subdural_min", -15.0, 115.0),
    ("subdural_mid", -32.5, 182.5),
    ("subdural_max", -50.0, 250.0),
    ("tissue_min", -155.0, 195.0),
    ("tissue_mid", -147.5, 227.5),
    ("tissue_max", -140.0, 260.0),
    ("bone", -800.0, 2000.0),
    ("grey_white", 28.0, 36.0),
)


def windowed(values: list[float], default: tuple[float, float] = (40.0, 80.0)) -> torch.Tensor:
    """The ten windows of a 1 x N slice: (10, N)."""
    slices = torch.tensor(values).reshape(1, 1, -1)
    result: torch.Tensor = SystematicWindows()(slices, torch.tensor([default]))
    return result[0, :, 0, 0]


def test_the_limits_are_those_of_table_4_in_its_order() -> None:
    """Centre and width give the printed limits, to float32 equality."""
    lower, width = SystematicWindows().limits(torch.tensor([[40.0, 80.0]]))
    found = list(
        zip(WINDOW_NAMES[1:], lower[0, 1:].tolist(), (lower + width)[0, 1:].tolist(), strict=True)
    )
    assert found == list(TABLE_4)
    assert len(FIXED_WINDOWS) == 9


@pytest.mark.parametrize("index", range(1, 10), ids=[name for name, _, _ in TABLE_4])
def test_a_window_is_zero_at_its_lower_and_one_at_its_upper_limit(index: int) -> None:
    """Below and above it saturates, in the middle it is one half."""
    _, low, high = TABLE_4[index - 1]
    values = windowed([low - 1, low, (low + high) / 2, high, high + 1])[index]
    assert values.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_window_zero_is_the_default_window_of_the_slice() -> None:
    """Centre 10 and width 20 map 0..20 HU to 0..1."""
    assert windowed([-1.0, 0.0, 5.0, 20.0], (10.0, 20.0))[0].tolist() == [0.0, 0.0, 0.25, 1.0]


def test_a_default_of_40_80_doubles_the_brain_window() -> None:
    """Window 0 then equals window 1 bit for bit."""
    values = windowed([float(hu) for hu in range(-100, 200)])
    assert torch.equal(values[0], values[1])


def test_each_slice_of_a_batch_has_its_own_default_window() -> None:
    """Two equal slices with other defaults differ in window 0 only."""
    slices = torch.full((2, 4, 4), 30.0)
    result = SystematicWindows()(slices, torch.tensor([[40.0, 80.0], [30.0, 10.0]]))
    assert result.shape == (2, 10, 1, 4, 4)
    assert result[:, 0, 0, 0, 0].tolist() == [0.375, 0.5]
    assert torch.equal(result[0, 1:], result[1, 1:])


def test_int16_and_float_input_give_the_same_windows() -> None:
    """Integer Hounsfield units are exact in float32."""
    whole = torch.arange(-1024, 3072, dtype=torch.int16).reshape(1, 64, 64)
    windows, default = SystematicWindows(), torch.tensor([[35.0, 90.0]])
    assert torch.equal(windows(whole, default), windows(whole.float(), default))
