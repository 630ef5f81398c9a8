"""Borders: the valid slice cut at every structural border, and in the middle of every element."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from tests.hostile.case import Case
from tests.hostile.parts import PIXEL_DATA, borders, valid

_PREFIX_END = 132


def _cut(at: int) -> bytes:
    return valid().file()[:at]


def _cuts_at_borders() -> list[Case]:
    """Between two elements the bytes are in order, but the pixels are missing."""
    offsets = [at for at in borders(valid().file())[:-1] if at > _PREFIX_END]
    return [Case(f"cut between elements at {at}", partial(_cut, at), 422, "pixel_length")
            for at in offsets]  # fmt: skip


def _cuts_inside() -> list[Case]:
    """Inside an element something is damaged; inside the pixels their length is wrong."""
    body = valid().file()
    starts = borders(body)
    pixels_at = len(body) - len(valid().elements[PIXEL_DATA])
    found = []
    for start, end in pairwise(starts):
        in_pixels = start == pixels_at
        inside = (start + 5, "corrupt"), (end - 1, "pixel_length" if in_pixels else "corrupt")
        found += [
            Case(f"cut at {at}", partial(_cut, at), 422 if code == "pixel_length" else 400, code)
            for at, code in inside
        ]
    return found


def _cuts_in_the_prefix() -> list[Case]:
    return [Case(f"cut at {at}", partial(_cut, at), 400, "not_dicom") for at in (1, 64, 128, 131)]


CASES: tuple[Case, ...] = (*_cuts_in_the_prefix(), *_cuts_at_borders(), *_cuts_inside())
