"""Level head: scan planes without tilt or turn, so that answers can be computed by hand."""

from __future__ import annotations

from dataclasses import replace

from model_build.synthetic.geometry import ScanGeometry

_LEVEL = ScanGeometry(
    slices=26,
    thickness_mm=5.0,
    fov_mm=256.0,
    tilt_deg=0.0,
    pitch_deg=0.0,
    turn_deg=0.0,
    lean_deg=0.0,
    offset_mm=(0.0, 0.0),
    first_mm=-22.0,
)


def level_geometry(**change: object) -> ScanGeometry:
    """Untilted 5 mm slices of a straight, centred head; one field changed by the caller."""
    return replace(_LEVEL, **change)  # type: ignore[arg-type]
