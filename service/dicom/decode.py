"""Decode: one object of unknown origin to Hounsfield units or to the reasons why not.

body -> reader -> [enhanced: each frame] -> gate -> pixels -> hounsfield -> content -> resample
     -> Decoded

The one pure function that training, tests and the children of the decode pool share.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from service.dicom import content
from service.dicom.enhanced import Frames
from service.dicom.gate import check, is_blocking
from service.dicom.hounsfield import NotFinite, Scale, implausible, to_hu
from service.dicom.limits import Caps
from service.dicom.pixels import LossyRefused, PixelFault, stored_values
from service.dicom.reader import Parsed, read
from service.dicom.resample import to_slice_size
from service.dicom.scan import ScanFault
from service.dicom.violations import (
    DECODER_FAILED,
    DEFAULT_WINDOW_SUBSTITUTED,
    HEADER_LIMIT,
    HU_NOT_FINITE,
    LOSSY_REFUSED,
    MULTI_FRAME,
    PIXEL_CORRUPT,
    TRANSFER_SYNTAX,
)
from service.dicom.window_tags import default_window
from service.types import Decoded, HuSlice, Identity, Violation

DEFAULT_CAPS = Caps()


def decode_slice(body: bytes | memoryview, caps: Caps = DEFAULT_CAPS) -> Decoded:
    """Decode one DICOM object of one frame; every fault is a violation, no bytes make it raise.

    `slice_hu` is int16 (512, 512) in HU, and None exactly when a violation is REJECT or SKIP.
    An object of several frames is `multi_frame`: `decode_frames` takes it apart.
    """
    decoded = next(decode_frames(body, caps))
    if decoded.frames > 1:
        return Decoded(decoded.identity, None, (MULTI_FRAME,))
    return decoded


def decode_frames(
    body: bytes | memoryview, caps: Caps = DEFAULT_CAPS, first: int = 1
) -> Generator[Decoded, None, None]:
    """Decode the frames of one object, one after another; a single-frame object gives one.

    Args:
        body: the object; kept until the iterator is dropped.
        caps: bounds of the object.
        first: number of the frame to begin with, from 1.

    Yields:
        A verdict per frame, at least one. What is wrong with the object as a whole is said once.
    """
    try:
        parsed = read(body, caps)
        frames = None if parsed.faults or not parsed.multi_frame else Frames.of(parsed, caps)
    except ScanFault as fault:
        yield Decoded(parsed.header.identity(), None, (fault.violation,))
        return
    except Exception:  # no exception text may leave: it can repeat values of the object
        yield Decoded(Identity(), None, (DECODER_FAILED,))
        return
    if frames is None:
        yield _guarded(parsed, caps)
        return
    for number in range(first, len(frames) + 1):
        yield replace(_frame(frames, number, caps), frame=number, frames=len(frames))


def _frame(frames: Frames, number: int, caps: Caps) -> Decoded:
    """The verdict on one frame; its own faults stay its own."""
    try:
        return _decode(frames.frame(number - 1), caps)
    except ScanFault as fault:
        violation = fault.violation
    except Exception:  # as above
        violation = DECODER_FAILED
    return Decoded(frames.parsed.header.identity(), None, (violation,))


def _guarded(parsed: Parsed, caps: Caps) -> Decoded:
    """The verdict on one image, whatever happens inside."""
    try:
        return _decode(parsed, caps)
    except Exception:  # as above
        return Decoded(parsed.header.identity(), None, (DECODER_FAILED,))


def _decode(parsed: Parsed, caps: Caps) -> Decoded:
    identity = parsed.header.identity()
    found = _judge(parsed, caps)
    if is_blocking(found):
        return Decoded(identity, None, tuple(found))
    try:
        values, notes = stored_values(parsed, caps)
        hu, fixes = to_hu(values, Scale.of(parsed.header))
    except LossyRefused:
        return Decoded(identity, None, (LOSSY_REFUSED, *found))
    except PixelFault:
        return Decoded(identity, None, (PIXEL_CORRUPT, *found))
    except NotFinite:
        return Decoded(identity, None, (HU_NOT_FINITE, *found))
    # Values that are no HU need no look at the picture.
    spacing_mm = parsed.header.numbers("PixelSpacing")
    found += notes + fixes + (implausible(hu) or content.check(hu, spacing_mm, caps))
    if is_blocking(found):
        return Decoded(identity, None, tuple(found))
    window = default_window(parsed.header)
    if window.substituted:
        found.append(DEFAULT_WINDOW_SUBSTITUTED)
    return Decoded(identity, HuSlice(to_slice_size(hu), window), tuple(found))


def _judge(parsed: Parsed, caps: Caps) -> list[Violation]:
    """Faults of reading and of the header.

    A header that was cut short would break rules for elements that were only not reached, so
    damage is reported alone; a refused transfer syntax leaves the header readable. The header of
    a multi-frame object that was not taken apart lacks what its frames have.
    """
    if parsed.faults and parsed.header.has("PerFrameFunctionalGroupsSequence"):
        return list(parsed.faults)
    damage = [fault for fault in parsed.faults if fault.code != TRANSFER_SYNTAX.code]
    found = check(parsed, caps)
    if not damage:
        return [*parsed.faults, *found]
    # A DICOMDIR or report may well be longer than a slice: its class is the clearer answer.
    if damage == [HEADER_LIMIT] and any(item.code == "sop_class" for item in found):
        return [item for item in found if item.code == "sop_class"]
    return list(parsed.faults)
