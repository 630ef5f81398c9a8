"""Limits: what one object may cost before any of its content is believed.

The defaults are the largest values seen in real CT, with room (docs: hostile DICOM, measured).
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds of one object; a breach is a REJECT, never an attempt.

    Attributes:
        max_bytes: body as received, bytes.
        max_inflated_bytes: data set after inflating the deflated syntax, bytes.
        max_elements: data elements and sequence items that are visited (largest seen: 270).
        max_depth: nesting of undefined-length sequences (largest seen: 3).
        max_header_bytes: bytes in front of the pixel data (largest seen: 273 KB).
        max_fragments: fragments of encapsulated pixel data of one frame.
        min_matrix: fewest rows or columns, pixels.
        max_matrix: most rows or columns, pixels.
        lenient_uids: accept identifiers that are no UIDs (`ID_6431af929` of RSNA 2019) and a
            missing SOP class; for that data set's adapter only, never for serving.
    """

    max_bytes: int = 4 * MIB
    max_inflated_bytes: int = 4 * MIB
    max_elements: int = 4096
    max_depth: int = 16
    max_header_bytes: int = MIB // 2
    max_fragments: int = 64
    min_matrix: int = 64
    max_matrix: int = 1024
    lenient_uids: bool = False
