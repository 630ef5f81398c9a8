"""Gate families: pictures that are no CT slice of a head any more, made of one that is.

HU of a head -> inverted | another slope | magnetic resonance | noise -> what the gate says of it

They carry the tags of the head that they were made of, so only the picture can give them away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from service.dicom import content
from service.dicom.hounsfield import implausible
from service.dicom.limits import Caps
from service.types import Action

Hu = npt.NDArray[np.int16]
_CAPS = Caps()
_OFFSET = 1024  # of stored values over HU, as almost every scanner writes them
_AIR_HU, _SOFT_HU, _BONE_HU = -300, 0, 200
_RNG_SEED = 4


def _whole(hu: npt.NDArray[np.float64]) -> Hu:
    return np.clip(np.rint(hu), -1024, 32767).astype(np.int16)


def _slope(factor: float) -> Callable[[Hu], Hu]:
    """Stored values of the head under a slope that they were not written with."""
    return lambda hu: _whole((hu.astype(np.float64) + _OFFSET) * factor - _OFFSET)


def inverted(hu: Hu) -> Hu:
    """Values turned round, as a film is shown: int16 HU (n, n) to the same shape."""
    return _whole(-hu.astype(np.float64))


def noise(hu: Hu) -> Hu:
    """The values of the head, each at another place: its histogram, and no picture."""
    rng = np.random.default_rng(_RNG_SEED)
    return rng.permutation(hu.ravel()).reshape(hu.shape)


def magnetic(gain: float) -> Callable[[Hu], Hu]:
    """Signals of a T1 image under the tags of a CT: air and bone dark, fat bright, brain between.

    Args:
        gain: greatest signal.
    """

    def signals(hu: Hu) -> Hu:
        brain = 0.5 + (hu.astype(np.float64) - 30.0) * 0.004
        kinds = [hu < _AIR_HU, hu > _BONE_HU, hu > _SOFT_HU]
        shares = np.select(kinds, [0.02, 0.08, np.clip(brain, 0.1, 0.9)], 0.85)
        return _whole(shares * gain - _OFFSET)

    return signals


FAMILIES: dict[str, Callable[[Hu], Hu]] = {
    "inverted": inverted,
    "noise of the same values": noise,
    "slope 2 instead of 1": _slope(2.0),
    "slope 1.2 instead of 1": _slope(1.2),
    "slope 0.8 instead of 1": _slope(0.8),
    "slope 0.5 instead of 1": _slope(0.5),
    "intercept forgotten": lambda hu: _whole(hu.astype(np.float64) + _OFFSET),
    "MR signals up to 1000": magnetic(1000.0),
    "MR signals up to 4000": magnetic(4000.0),
}


def verdict(hu: Hu, spacing_mm: tuple[float, ...] | None) -> str:
    """`skipped`, `warned` or `passed`: what the gate says of int16 HU (n, n) for its values."""
    found = implausible(hu) or content.check(hu, spacing_mm, _CAPS)
    if not found:
        return "passed"
    return "skipped" if found[0].action is Action.SKIP else "warned"
