"""Reasons: when and why each violation is given that no header rule finds, for the documentation.

The header rules (`gate.RULES`) carry theirs in their rows, also for sentences of `violations`.
Clauses are of DICOM (PS3.x) unless another source is named.
"""

from __future__ import annotations

REASONS: dict[str, str] = {
    "too_large": "Body over its cap, by Content-Length or by counted bytes. A slice of 512 x 512"
    " has 0.5 MiB; memory must be bounded before anything is parsed.",
    "not_dicom": "Neither `DICM` at byte 128 (PS3.10 7.1) nor a data set that reads without it.",
    "corrupt": "An element, item or fragment runs past the end, has no known VR or is never"
    " closed (PS3.5 7.1, 7.5, A.4).",
    "tag_order": "Top-level tags do not strictly ascend (PS3.5 7.1): of two elements with one tag"
    " readers believe different ones.",
    "header_limit": "Elements, nesting, fragments or bytes in front of the pixels over a cap."
    " Largest seen in real CT: 270 elements, depth 3, 273 KB.",
    "inflate_limit": "A deflated data set (PS3.5 A.5) inflates past its cap: 1 MB can become 1 GB.",
    "transfer_syntax": "The transfer syntax is not in the list of accepted ones, or its decoder"
    " is not installed (PS3.5 annex A).",
    "frame_limit": "More frames than the cap.",
    "functional_groups": "NumberOfFrames differs from the items of the per-frame sequence, the"
    " shared sequence has not exactly one item, a group is in both or is not one item"
    " (PS3.3 C.7.6.16).",
    "frame_offsets": "The Basic or Extended Offset Table does not point at fragments, or there is"
    " none and fragments and frames differ in number (PS3.5 A.4).",
    "pixel_corrupt": "A compressed frame cannot be decoded to rows x columns x 2 bytes.",
    "lossy_compression": "LossyImageCompression is 01 (PS3.3 C.7.6.1.1.5), or the codestream is"
    " lossy; while the setting `lossy` is `refuse` such an object is rejected.",
    "hu_not_finite": "A value is NaN or infinite after rescaling in float32.",
    "decoder_failed": "The decode process died or failed; another took its place.",
    "decode_timeout": "The decode process was killed at its deadline.",
    "hu_implausible": "Minimum over 200; or minimum from 0 and maximum up to 400 or over 4096; or"
    " maximum below 0: no head in air (ranges of the public ich-maxvit reader).",
    "not_head_like": "The content check, below; while the setting `content` is `warn` the same"
    " finding is given as `content_unusual`.",
    "content_unusual": "The content check, below.",
    "fix_bits": "Bits above BitsStored are cleared (old overlays, PS3.5 8.1.1) and the sign is"
    " extended from HighBit.",
    "fix_wraparound": "BitsStored 12, unsigned, intercept over -100: +1000, values from 4096 on"
    " -4096, intercept -1000 (J. Howard's notebook on RSNA 2019).",
    "fix_padding": "PixelPaddingValue to PixelPaddingRangeLimit (PS3.3 C.7.5.1.1.2), raw -2000 and"
    " -3024 HU become -1000 HU.",
    "default_window_substituted": "WindowCenter or WindowWidth missing, not a number, or the width"
    " outside 1 to 4096 HU (PS3.3 C.11.2.1.2).",
}
LIMITED_BY: dict[str, tuple[str, ...]] = {
    "too_large": ("max_slice_bytes", "max_object_bytes", "max_request_bytes"),
    "header_limit": (
        *("max_elements", "max_frame_elements", "max_depth"),
        *("max_header_bytes", "max_fragments"),
    ),
    "inflate_limit": ("max_inflated_bytes",),
    "frame_limit": ("max_frames",),
    "lossy_compression": ("lossy",),
    "decoder_failed": ("decode_memory_mib",),
    "decode_timeout": ("decode_timeout_s",),
    "not_head_like": ("content",),
}
