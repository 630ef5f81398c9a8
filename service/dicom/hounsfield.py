"""Hounsfield: stored values to int16 Hounsfield units, for training and serving alike.

stored -> int32 copy -> bits -> wraparound -> padding -> rescale -> clip -> round half to even
       -> one addition, where the smallest and largest value show that no correction applies

The corrections are a closed list, each reported by its code. Windowing is not done here: the
network does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.dicom.header import Header
from service.dicom.violations import FIX_BITS, FIX_PADDING, FIX_WRAPAROUND, HU_IMPLAUSIBLE
from service.types import Violation

Stored = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

AIR_HU = -1000
_LOWEST_HU, _HIGHEST_HU = -1024, 32767
_RAW_PADDING = -2000  # GE, outside the reconstruction circle
_HU_PADDING = -3024  # the same after an intercept of -1024


class NotFinite(Exception):
    """Slope and intercept do not give finite Hounsfield units."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What turns stored values into HU; taken from the header once.

    Attributes:
        slope: RescaleSlope (0028,1053).
        intercept: RescaleIntercept (0028,1052), HU.
        bits_stored: BitsStored (0028,0101).
        signed: PixelRepresentation (0028,0103) is 1.
        padding: PixelPaddingValue (0028,0120) as its 16 raw bits, None when absent.
        padding_limit: PixelPaddingRangeLimit (0028,0121), likewise.
    """

    slope: float = 1.0
    intercept: float = 0.0
    bits_stored: int = 16
    signed: bool = False
    padding: int | None = None
    padding_limit: int | None = None

    @classmethod
    def of(cls, header: Header) -> Scale:
        """Take the scale from a header that passed the gate."""
        return cls(
            slope=header.number("RescaleSlope") or 0.0,
            intercept=header.number("RescaleIntercept") or 0.0,
            bits_stored=header.word("BitsStored") or 16,
            signed=header.word("PixelRepresentation") == 1,
            padding=header.word("PixelPaddingValue"),
            padding_limit=header.word("PixelPaddingRangeLimit"),
        )

    def as_pixel(self, bits: int) -> int:
        """16 raw bits as a value: the VR of the padding tags follows the pixels, not the file."""
        return bits - 0x10000 if self.signed and bits & 0x8000 else bits


def to_hu(stored: npt.NDArray[Any], scale: Scale) -> tuple[npt.NDArray[np.int16], list[Violation]]:
    """Convert stored values to HU.

    Args:
        stored: 16-bit stored values (rows, columns), any byte order; never written to.
        scale: the header's share.

    Returns:
        int16 (rows, columns) in HU within -1024..32767, and the corrections that were applied.

    Raises:
        NotFinite: a value is NaN or infinite after rescaling.
    """
    same_sign = (stored.dtype.kind == "i") == scale.signed
    if same_sign and (plain := _uncorrected(stored, scale)) is not None:
        return plain, []
    raw: Stored = stored.astype(np.int32)
    fixes: list[Violation] = []
    values = _fix_bits(raw, scale, fixes, same_sign=same_sign)
    padding = _padding(raw if same_sign else values, values, scale)
    intercept = _fix_wraparound(values, scale, fixes)
    hu = _rescale(values, scale.slope, intercept)
    # -3024 HU is checked on the exact values, in front of the clip that would hide it.
    lowest = hu.min()
    if lowest <= _HU_PADDING:
        padding = padding | (hu == _HU_PADDING)
    if padding.any():
        np.copyto(hu, AIR_HU, where=padding)
        fixes.append(FIX_PADDING)
    np.clip(hu, _LOWEST_HU, _HIGHEST_HU, out=hu)
    if hu.dtype == np.float32:
        np.rint(hu, out=hu)
    return hu.astype(np.int16), fixes


def _uncorrected(stored: npt.NDArray[Any], scale: Scale) -> npt.NDArray[np.int16] | None:
    """HU by one addition where the extremes show that no correction applies; None elsewhere.

    Most slices are such: the general way reads them a dozen times to find nothing.
    """
    low, high = int(stored.min()), int(stored.max())
    span = (-(1 << (scale.bits_stored - 1)), (1 << (scale.bits_stored - 1)) - 1)
    least, most = span if scale.signed else (0, (1 << scale.bits_stored) - 1)
    shift = scale.intercept
    exact = scale.slope == 1.0 and shift.is_integer() and abs(shift) <= -_HU_PADDING
    wraps = scale.bits_stored == 12 and not scale.signed and shift > -100.0
    fits = least <= low and high <= min(most, _HIGHEST_HU) and high + shift <= _HIGHEST_HU
    if not (exact and fits) or wraps or _may_pad(low, high, scale):
        return None
    hu: npt.NDArray[np.int16] = stored.astype(np.int16)
    hu += np.int16(shift)
    return np.maximum(hu, np.int16(_LOWEST_HU), out=hu) if low + shift < _LOWEST_HU else hu


def _may_pad(low: int, high: int, scale: Scale) -> bool:
    """Whether values from `low` to `high` can hold one of the padding values."""
    if low + scale.intercept <= _HU_PADDING or (scale.signed and low <= _RAW_PADDING):
        return True
    if scale.padding is None:
        return False
    first = scale.as_pixel(scale.padding)
    last = first if scale.padding_limit is None else scale.as_pixel(scale.padding_limit)
    return low <= max(first, last) and min(first, last) <= high


def _fix_bits(raw: Stored, scale: Scale, fixes: list[Violation], *, same_sign: bool) -> Stored:
    """Drop bits above BitsStored (old overlays, PS3.5 8.1.1) and extend the sign from there.

    A JPEG 2000 codestream has a sign of its own; where it is not that of PixelRepresentation, the
    bits are what was meant (pydicom issues 1149 and 2073).
    """
    if scale.bits_stored >= 16 and same_sign:
        return raw
    mask = (1 << scale.bits_stored) - 1
    values: Stored = raw & mask
    if scale.signed:
        sign = 1 << (scale.bits_stored - 1)
        values ^= sign
        values -= sign
    if not np.array_equal(values, raw):
        fixes.append(FIX_BITS)
    return values


def _fix_wraparound(values: Stored, scale: Scale, fixes: list[Violation]) -> float:
    """Unwrap 12-bit unsigned data stored without its offset, in place; returns the intercept.

    A heuristic on three tags (J. Howard's notebook on RSNA 2019), so it is always reported.
    """
    if scale.bits_stored != 12 or scale.signed or scale.intercept <= -100.0:
        return scale.intercept
    values += 1000
    wrapped = values >= 4096
    values[wrapped] -= 4096
    if wrapped.any() or scale.intercept != 0.0 or scale.slope != 1.0:
        fixes.append(FIX_WRAPAROUND)
    return -1000.0


def _padding(raw: Stored, values: Stored, scale: Scale) -> Mask:
    """Where a padding value lies (PS3.3 C.7.5.1.1.2).

    Compared on the raw bits as well as on the corrected value: padding may need more bits than
    BitsStored (-2000 in signed 12-bit data).
    """
    mask: Mask = (raw == _RAW_PADDING) if scale.signed else np.zeros(raw.shape, np.bool_)
    if scale.padding is None:
        return mask
    first = scale.as_pixel(scale.padding)
    last = first if scale.padding_limit is None else scale.as_pixel(scale.padding_limit)
    low, high = min(first, last), max(first, last)
    for candidate in (raw,) if values is raw else (raw, values):
        mask |= candidate == low if low == high else (candidate >= low) & (candidate <= high)
    return mask


def _rescale(values: Stored, slope: float, intercept: float) -> npt.NDArray[Any]:
    """HU = value x slope + intercept (PS3.3 C.11.1.1.2): float32, or int32 where that is exact.

    Small whole numbers give products and sums below 2**24, which float32 holds exactly; integer
    arithmetic is then the same to the bit and spares the float temporaries.
    """
    whole = slope.is_integer() and intercept.is_integer()
    if whole and abs(slope) <= 128 and abs(intercept) <= 1 << 20:
        return values * np.int32(slope) + np.int32(intercept)
    with np.errstate(over="ignore", invalid="ignore"):
        hu = values.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    if not np.isfinite(hu).all():
        raise NotFinite
    return hu


def implausible(hu: npt.NDArray[np.int16]) -> list[Violation]:
    """`hu_implausible` when minimum and maximum cannot be those of a head in air.

    The ranges are those of a public RSNA reader: no air, a narrow unsigned range (8-bit or MR
    data), an unscaled wide range, or nothing denser than water.
    """
    low, high = int(hu.min()), int(hu.max())
    shifted = low >= 0 and (high <= 400 or high > 4096)
    return [HU_IMPLAUSIBLE] if low > 200 or shifted or high < 0 else []
