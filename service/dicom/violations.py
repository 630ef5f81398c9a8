"""Violations: the fixed sentences of everything that is found outside the header rules.

The header rules carry their own sentences (`gate.RULES`); `gate.CODES` is the closed set of all.
"""

from __future__ import annotations

from pydicom.datadict import tag_for_keyword

from service.types import Action, Kind, Violation


def violation(
    code: str,
    action: Action,
    message: str,
    *,
    kind: Kind = Kind.NOT_ASSESSABLE,
    keyword: str = "",
) -> Violation:
    """A violation whose tag follows from its keyword (PS3.6)."""
    number = tag_for_keyword(keyword) if keyword else None
    tag = "" if number is None else f"{number >> 16:04X},{number & 0xFFFF:04X}"
    return Violation(code, action, message, kind, keyword, tag)


def _reject(code: str, kind: Kind, message: str, keyword: str = "") -> Violation:
    return violation(code, Action.REJECT, message, kind=kind, keyword=keyword)


def _fix(code: str, message: str, keyword: str = "") -> Violation:
    return violation(code, Action.FIX, message, keyword=keyword)


TOO_LARGE = _reject("too_large", Kind.TOO_LARGE, "The object is larger than one slice may be.")
NOT_DICOM = _reject("not_dicom", Kind.MALFORMED, "The bytes are not a DICOM object.")
CORRUPT = _reject(
    "corrupt", Kind.MALFORMED, "The DICOM object is damaged and cannot be read to its end."
)
INFLATE_LIMIT = _reject(
    "inflate_limit", Kind.TOO_LARGE, "The deflated data set is larger than a slice may be."
)
HEADER_LIMIT = _reject(
    "header_limit",
    Kind.TOO_LARGE,
    "The header has more elements, nesting, fragments or bytes than a slice may have.",
)
TRANSFER_SYNTAX = _reject(
    "transfer_syntax",
    Kind.UNSUPPORTED,
    "The transfer syntax is not one that this service decodes.",
    "TransferSyntaxUID",
)
PIXEL_LENGTH = _reject(
    "pixel_length",
    Kind.NOT_ASSESSABLE,
    "The pixel data is missing or its length is not rows x columns x 2 bytes.",
    "PixelData",
)
PIXEL_CORRUPT = _reject(
    "pixel_corrupt",
    Kind.MALFORMED,
    "The compressed pixel data is damaged or does not fit rows and columns.",
    "PixelData",
)
HU_NOT_FINITE = _reject(
    "hu_not_finite",
    Kind.NOT_ASSESSABLE,
    "The rescale slope and intercept do not give finite Hounsfield units.",
    "RescaleSlope",
)
DECODER_FAILED = _reject(
    "decoder_failed", Kind.NOT_ASSESSABLE, "The decoder failed on this object."
)
DECODE_TIMEOUT = _reject(
    "decode_timeout", Kind.DEADLINE, "Decoding this object took longer than a slice may take."
)
HU_IMPLAUSIBLE = violation(
    "hu_implausible",
    Action.SKIP,
    "The Hounsfield units are not those of a head CT.",
    keyword="PixelData",
)
FIX_BITS = _fix(
    "fix_bits", "Bits above the stored bits were removed and the sign restored.", "BitsStored"
)
FIX_WRAPAROUND = _fix(
    "fix_wraparound",
    "Wrapped 12-bit values were unwrapped to an intercept of -1000.",
    "RescaleIntercept",
)
FIX_PADDING = _fix("fix_padding", "Padding pixels were treated as air.", "PixelPaddingValue")
MATRIX_RESAMPLED = _fix(
    "matrix_resampled", "The matrix was resampled to 512 x 512; accuracy not validated.", "Rows"
)
DEFAULT_WINDOW_SUBSTITUTED = _fix(
    "default_window_substituted",
    "The default window is missing or unusable; brain 40/80 was used.",
    "WindowWidth",
)

FIXED: tuple[Violation, ...] = (
    TOO_LARGE,
    NOT_DICOM,
    CORRUPT,
    INFLATE_LIMIT,
    HEADER_LIMIT,
    TRANSFER_SYNTAX,
    PIXEL_LENGTH,
    PIXEL_CORRUPT,
    HU_NOT_FINITE,
    DECODER_FAILED,
    DECODE_TIMEOUT,
    HU_IMPLAUSIBLE,
    FIX_BITS,
    FIX_WRAPAROUND,
    FIX_PADDING,
    MATRIX_RESAMPLED,
    DEFAULT_WINDOW_SUBSTITUTED,
)
