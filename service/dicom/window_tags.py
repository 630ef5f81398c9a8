"""Window tags: the default window of the object, window 0 of the ten (Rajagopal 2023, Table 4)."""

from __future__ import annotations

from service.dicom.header import Header
from service.types import DefaultWindow

BRAIN = DefaultWindow(center=40.0, width=80.0, substituted=True)
_WIDTHS_HU = (1.0, 4096.0)
_MAX_CENTER_HU = 32767.0


def default_window(header: Header) -> DefaultWindow:
    """The first WindowCenter and WindowWidth (0028,1050 and 1051; PS3.3 C.11.2.1.2), in HU.

    Brain 40/80, marked as substituted, when either is missing or not a finite number, when the
    width is outside 1..4096 HU or the centre outside what int16 HU can hold.
    """
    center, width = header.number("WindowCenter"), header.number("WindowWidth")
    if center is None or width is None:
        return BRAIN
    if not _WIDTHS_HU[0] <= width <= _WIDTHS_HU[1] or abs(center) > _MAX_CENTER_HU:
        return BRAIN
    return DefaultWindow(center=center, width=width)
