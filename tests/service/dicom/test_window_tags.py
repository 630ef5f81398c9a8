"""The default window: what is taken from the tags and when brain 40/80 replaces it."""

from __future__ import annotations

from typing import Any

import pytest

from service.dicom.decode import decode_slice
from service.types import DefaultWindow
from tests.factories import DROP, make_ct_slice


def window_of(**fields: Any) -> DefaultWindow:
    """The window that a slice with these fields is decoded to."""
    decoded = decode_slice(make_ct_slice(**fields))
    assert decoded.slice_hu is not None
    return decoded.slice_hu.window


@pytest.mark.parametrize(
    ("center", "width", "expected"),
    [
        ("35", "90", (35.0, 90.0)),
        (["36", "500"], ["81", "2000"], (36.0, 81.0)),
        (b"00036\\00036", b"00080\\00080", (36.0, 80.0)),
        ("-12.5", "1", (-12.5, 1.0)),
        (b"40\\x", b"4096\\y", (40.0, 4096.0)),
        (" 40 ", "8e1", (40.0, 80.0)),
    ],
)
def test_first_value_is_used(center: Any, width: Any, expected: tuple[float, float]) -> None:
    """The first centre and width are taken, however they are padded or repeated."""
    assert window_of(WindowCenter=center, WindowWidth=width) == DefaultWindow(*expected)


@pytest.mark.parametrize("width", [DROP, "", "0", "0.99", "4096.1", "-80", b"nan", b"abc", b"1_0"])
def test_unusable_width_is_replaced(width: Any) -> None:
    """A width that is missing, no number or outside 1..4096 gives brain 40/80, marked."""
    assert window_of(WindowWidth=width) == DefaultWindow(40.0, 80.0, substituted=True)


@pytest.mark.parametrize("center", [DROP, b"inf", b"nan", b"x", "1e30"])
def test_unusable_center_is_replaced(center: Any) -> None:
    """A centre that is missing, no number or beyond int16 gives brain 40/80, marked."""
    assert window_of(WindowCenter=center) == DefaultWindow(40.0, 80.0, substituted=True)
