"""Storage: how a series is stored, the variety of real archives in valid objects.

stream ─> form of the pixels | padding | windows | photometric | transfer syntax, one per series

Everything here decodes to the same Hounsfield units, but for air below the lowest value of a form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from model_build.synthetic.geometry import MATRIX

AIR_HU = -1024
RAW_PADDING = -2000  # GE, outside the reconstruction circle
Padding = Literal["none", "air", "raw"]

# Vendors write leading zeros, several windows, none, or a display preset that shows nothing.
_WINDOWS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("40",), ("80",)),
    (("35",), ("100",)),
    (("30",), ("80",)),
    (("00036",), ("00080",)),
    (("40", "40"), ("80", "80")),
    (("40", "80"), ("80", "200")),
    (("40", "600"), ("150", "2800")),
    ((), ()),
    (("40",), ("0",)),
    (("1000",), ("1",)),
)
_WINDOW_SHARES = (0.36, 0.14, 0.14, 0.08, 0.08, 0.07, 0.06, 0.04, 0.015, 0.015)

IMPLICIT_LITTLE = "1.2.840.10008.1.2"  # transfer syntax UIDs, PS3.6 annex A
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
# Deflated is what a set is mostly made of: about half the bytes of native storage.
_SYNTAXES = (DEFLATED, EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG, RLE)
_SYNTAX_SHARES = (0.92, 0.02, 0.02, 0.02, 0.02)


@dataclass(frozen=True, slots=True)
class Form:
    """Pixel description (PS3.3 C.7.6.3) and rescale; the slope is always 1.

    Attributes:
        signed: PixelRepresentation 1.
        bits: BitsStored.
        intercept: RescaleIntercept, HU.
    """

    signed: bool
    bits: int
    intercept: int

    @property
    def wraps(self) -> bool:
        """12 unsigned bits without offset: negative HU lie at the top (RSNA 2019)."""
        return not self.signed and self.bits == 12 and self.intercept > -100

    @property
    def lowest_hu(self) -> int:
        """What the form can hold; an unsigned one ends at its intercept."""
        if self.wraps:
            return -1000  # a reader unwraps 4096 values from there
        return AIR_HU if self.signed else max(AIR_HU, self.intercept)


SIGNED_0 = Form(signed=True, bits=16, intercept=0)
SIGNED_1024 = Form(signed=True, bits=16, intercept=-1024)
UNSIGNED_1024 = Form(signed=False, bits=12, intercept=-1024)
UNSIGNED_1000 = Form(signed=False, bits=12, intercept=-1000)
WRAPPED = Form(signed=False, bits=12, intercept=0)
_FORMS = (SIGNED_0, SIGNED_1024, UNSIGNED_1024, UNSIGNED_1000, WRAPPED)
_FORM_SHARES = (0.32, 0.28, 0.30, 0.07, 0.03)


@dataclass(frozen=True, slots=True)
class Storage:
    """How one series is stored.

    Attributes:
        form: Pixel description and rescale.
        padding: Outside the reconstruction circle: nothing, -1024 HU, or raw -2000 (signed only).
        centers: Window Center values, empty when the element is absent.
        widths: Window Width values.
        monochrome1: Marked to be shown inverted; the values are the same.
        agent: Contrast/Bolus Agent, None when absent.
        syntax: Transfer syntax UID.
    """

    form: Form = SIGNED_1024
    padding: Padding = "none"
    centers: tuple[str, ...] = ("40",)
    widths: tuple[str, ...] = ("80",)
    monochrome1: bool = False
    agent: str | None = None
    syntax: str = EXPLICIT_LITTLE

    def stored_values(self, image_hu: npt.NDArray[np.int16]) -> npt.NDArray[Any]:
        """Stored values (512, 512) of HU (512, 512), 16 bits in the byte order of the syntax."""
        form = self.form
        # In int32, because 3071 + 1024 is near the limits that the forms differ in.
        stored = np.maximum(image_hu.astype(np.int32), form.lowest_hu) - form.intercept
        if self.padding != "none":
            padded = RAW_PADDING if self.padding == "raw" else form.lowest_hu - form.intercept
            stored[outside_circle()] = padded
        if form.wraps:
            stored %= 4096
        order = ">" if self.syntax == EXPLICIT_BIG else "<"
        return stored.astype(f"{order}{'i' if form.signed else 'u'}2")


def draw_storage(rng: np.random.Generator) -> Storage:
    """Draw how a series is stored; every draw passes the gate, a few with a warning or a fix."""
    # All numbers are drawn before any is used: an option never shifts the draws after it.
    form = _FORMS[int(rng.choice(len(_FORMS), p=_FORM_SHARES))]
    centers, widths = _WINDOWS[int(rng.choice(len(_WINDOWS), p=_WINDOW_SHARES))]
    syntax = _SYNTAXES[int(rng.choice(len(_SYNTAXES), p=_SYNTAX_SHARES))]
    circle, raw, inverted, agent = rng.random(4)
    padding: Padding = "none"
    if circle < 0.4:
        padding = "raw" if form.signed and raw < 0.3 else "air"
    return Storage(
        form=form,
        padding=padding,
        centers=centers,
        widths=widths,
        monochrome1=bool(inverted < 0.015),
        agent=("" if agent < 0.05 else "NONE") if agent < 0.08 else None,
        syntax=syntax,
    )


def outside_circle() -> npt.NDArray[np.bool_]:
    """Pixels (512, 512) outside the reconstruction circle."""
    axis = np.arange(MATRIX) - (MATRIX - 1) / 2
    outside: npt.NDArray[np.bool_] = axis[:, None] ** 2 + axis[None, :] ** 2 > (MATRIX / 2) ** 2
    return outside
