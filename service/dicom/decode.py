"""Decode: one object of unknown origin to Hounsfield units or to the reasons why not.

body -> reader -> gate -> pixels -> hounsfield -> resample -> Decoded

The one pure function that training, tests and the children of the decode pool share.
"""

from __future__ import annotations

from service.dicom.gate import check, is_blocking
from service.dicom.hounsfield import NotFinite, Scale, implausible, to_hu
from service.dicom.limits import Caps
from service.dicom.pixels import PixelFault, stored_values
from service.dicom.reader import Parsed, read
from service.dicom.resample import to_slice_size
from service.dicom.violations import (
    DECODER_FAILED,
    DEFAULT_WINDOW_SUBSTITUTED,
    HEADER_LIMIT,
    HU_NOT_FINITE,
    PIXEL_CORRUPT,
    TRANSFER_SYNTAX,
)
from service.dicom.window_tags import default_window
from service.types import Decoded, HuSlice, Identity, Violation

DEFAULT_CAPS = Caps()


def decode_slice(body: bytes | memoryview, caps: Caps = DEFAULT_CAPS) -> Decoded:
    """Decode one DICOM object; every fault is a violation, no bytes make it raise.

    `slice_hu` is int16 (512, 512) in HU, and None exactly when a violation is REJECT or SKIP.
    """
    try:
        return _decode(body, caps)
    except Exception:  # no exception text may leave: it can repeat values of the object
        return Decoded(Identity(), None, (DECODER_FAILED,))


def _decode(body: bytes | memoryview, caps: Caps) -> Decoded:
    parsed = read(body, caps)
    identity = parsed.header.identity()
    found = _judge(parsed, caps)
    if is_blocking(found):
        return Decoded(identity, None, tuple(found))
    try:
        hu, fixes = to_hu(stored_values(parsed), Scale.of(parsed.header))
    except PixelFault:
        return Decoded(identity, None, (PIXEL_CORRUPT, *found))
    except NotFinite:
        return Decoded(identity, None, (HU_NOT_FINITE, *found))
    found += fixes + implausible(hu)
    if is_blocking(found):
        return Decoded(identity, None, tuple(found))
    window = default_window(parsed.header)
    if window.substituted:
        found.append(DEFAULT_WINDOW_SUBSTITUTED)
    return Decoded(identity, HuSlice(to_slice_size(hu), window), tuple(found))


def _judge(parsed: Parsed, caps: Caps) -> list[Violation]:
    """Faults of reading and of the header.

    A header that was cut short would break rules for elements that were only not reached, so
    damage is reported alone; a refused transfer syntax leaves the header readable.
    """
    damage = [fault for fault in parsed.faults if fault.code != TRANSFER_SYNTAX.code]
    found = check(parsed, caps)
    if not damage:
        return [*parsed.faults, *found]
    # A DICOMDIR or report may well be longer than a slice: its class is the clearer answer.
    if damage == [HEADER_LIMIT] and any(item.code == "sop_class" for item in found):
        return [item for item in found if item.code == "sop_class"]
    return list(parsed.faults)
