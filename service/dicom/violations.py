"""Violations: the fixed sentences of everything that is found outside the header rules.

The header rules carry their own sentences (`gate.RULES`); `gate.CODES` is the closed set of all.
When and why each is given stands in `reasons`, for docs/input-gate.md.
"""

from __future__ import annotations

from dataclasses import replace

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
TAG_ORDER = _reject(
    "tag_order", Kind.MALFORMED, "An element appears twice, or the elements are not in order."
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
FUNCTIONAL_GROUPS = _reject(
    "functional_groups",
    Kind.NOT_ASSESSABLE,
    "The functional groups do not describe every frame exactly once.",
    "PerFrameFunctionalGroupsSequence",
)
FRAME_LIMIT = _reject(
    "frame_limit",
    Kind.TOO_LARGE,
    "The object has more frames than one object may have.",
    "NumberOfFrames",
)
FRAME_OFFSETS = _reject(
    "frame_offsets",
    Kind.MALFORMED,
    "The compressed pixel data cannot be divided into its frames.",
    "PixelData",
)
LOSSY_COMPRESSION = violation(
    "lossy_compression",
    Action.WARN,
    "The pixels were lossily compressed; their Hounsfield units are not those of the scanner.",
    keyword="LossyImageCompression",
)
# The same row when the setting `lossy` is `refuse`.
LOSSY_REFUSED = replace(LOSSY_COMPRESSION, action=Action.REJECT, kind=Kind.UNSUPPORTED)
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
MULTI_FRAME = violation(
    "multi_frame",
    Action.SKIP,
    "The object has several frames where one is expected.",
    keyword="NumberOfFrames",
)
NOT_HEAD_LIKE = violation(
    "not_head_like",
    Action.SKIP,
    "The picture cannot be an axial slice of a head in Hounsfield units.",
    keyword="PixelData",
)
CONTENT_UNUSUAL = violation(
    "content_unusual",
    Action.WARN,
    "The picture is unusual for an axial slice of a head in Hounsfield units.",
    keyword="PixelData",
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

# In the order in which an object meets them.
FIXED: tuple[Violation, ...] = (
    TOO_LARGE,
    NOT_DICOM,
    CORRUPT,
    TAG_ORDER,
    HEADER_LIMIT,
    INFLATE_LIMIT,
    TRANSFER_SYNTAX,
    FRAME_LIMIT,
    FUNCTIONAL_GROUPS,
    FRAME_OFFSETS,
    MULTI_FRAME,
    PIXEL_LENGTH,
    PIXEL_CORRUPT,
    LOSSY_COMPRESSION,
    LOSSY_REFUSED,
    HU_NOT_FINITE,
    DECODER_FAILED,
    DECODE_TIMEOUT,
    HU_IMPLAUSIBLE,
    NOT_HEAD_LIKE,
    CONTENT_UNUSUAL,
    FIX_BITS,
    FIX_WRAPAROUND,
    FIX_PADDING,
    MATRIX_RESAMPLED,
    DEFAULT_WINDOW_SUBSTITUTED,
)
