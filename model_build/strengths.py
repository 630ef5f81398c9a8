"""Strengths: the ranges that augmentations are drawn from, by name.

standard      ours: noise texture, sharpness, calibration and pose of the phantoms are the
              generator's, and nothing may hang on them
bhcnet, bhcnet_lstm   the lists of the papers; none   for those that used none
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Strength:
    """Ranges that draws come from; the default changes nothing.

    Attributes:
        mirror: Share of slices mirrored left-right; heads are symmetric, up is not down.
        turn_deg: Largest rotation either way.
        zoom: Smallest and largest magnification.
        shift: Largest shift, in halves of the picture.
        shear: Largest shear.
        radial: Largest optical distortion, as a share of the radius at the border.
        wobble: SD of the knots of a grid distortion, in halves of the picture.
        blur_share: Share of slices blurred, by `blur_pixels`.
        blur_pixels: Smallest and largest SD of the blur.
        offset_hu: SD of the offset; scanners are calibrated to a few HU.
        slope: SD of the factor on HU.
        noise_hu: Largest SD of the added noise.
        window: SD of the log of the default width, and of its centre in widths.
    """

    mirror: float = 0.0
    turn_deg: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    shear: float = 0.0
    radial: float = 0.0
    wobble: float = 0.0
    blur_share: float = 0.0
    blur_pixels: tuple[float, float] = (0.4, 1.3)
    offset_hu: float = 0.0
    slope: float = 0.0
    noise_hu: float = 0.0
    window: float = 0.0


STRENGTHS: Mapping[str, Strength] = {
    "none": Strength(),
    "standard": Strength(
        mirror=0.5,
        turn_deg=15.0,
        zoom=(0.85, 1.18),
        shift=0.10,
        blur_share=0.35,
        offset_hu=2.5,
        slope=0.03,
        noise_hu=4.0,
        window=0.15,
    ),
    # BHCNet: flips, shear 0.05, zoom 0.05, rotation (10 deg chosen), shifts 0.05.
    "bhcnet": Strength(mirror=0.5, turn_deg=10.0, zoom=(0.95, 1.05), shift=0.10, shear=0.05),
    # BHCNet + LSTM: random crop and resize (a zoom in), rotation 0-30 deg, optical distortion,
    # grid distortion, Gaussian noise; their amounts are chosen.
    "bhcnet_lstm": Strength(
        turn_deg=30.0, zoom=(1.0, 1.2), shift=0.10, radial=0.05, wobble=0.01, noise_hu=4.0
    ),
}
