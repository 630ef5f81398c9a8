"""Check anatomy: rebuild some heads of a set without noise; tissue modes, contrast, label leaks.

phantom seeds ─> build with and without lesions ─> HU per tissue | what differs between the two
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model_build.synthetic.anatomy import Anatomy
from model_build.synthetic.measure import Measure, measure
from model_build.synthetic.plan import EPIDURAL, Mode
from model_build.synthetic.series import Phantom, SeriesRequest, build_phantom

# Tissue -> lowest and highest mode, HU: published values with 2 HU of tolerance.
_MODES = {
    "CSF": (5.0, 12.0),
    "white matter": (27.5, 31.5),
    "grey matter": (35.0, 39.0),
    "compact bone": (950.0, 1250.0),
    "fat": (-112.0, -88.0),
}
_CNR = (1.4, 2.2)
_DEEP_MM = 6.0  # deeper than the sulci, where white matter is pure
_REACH_MM = 14.0  # edema (8 mm and its ramp) and the texture of a clot end within it
_ROUNDING_HU = 0.001  # of a brain that is pushed by nothing
_FRACTURE_MM = 45.0  # a fracture reaches 34 mm from the bone over the middle of an epidural


@dataclass(frozen=True, slots=True)
class Pair:
    """One head with and without its lesions."""

    bled: Phantom
    twin: Phantom


def build_pairs(seeds: Sequence[str], mode: Mode, slices: int | None) -> list[Pair]:
    """Build heads from the phantom seeds of truth.csv (hexadecimal)."""
    pairs = []
    for seed in seeds:
        request = SeriesRequest(0, 0, int(seed, 16), True, mode, slices)
        quiet = SeriesRequest(0, 0, int(seed, 16), False, mode, slices)
        pairs.append(Pair(build_phantom(request), build_phantom(quiet)))
    return pairs


def check_anatomy(pairs: Sequence[Pair], noise_hu: float) -> list[Measure]:
    """Tissue modes, grey-white contrast over `noise_hu`, and that lesions leave the head alone."""
    tissues = [tissue_modes(pair.twin.anatomy) for pair in pairs]
    found = []
    means: dict[str, float | None] = {}
    for name, (low, high) in _MODES.items():
        values = [mode for modes in tissues if (mode := modes[name]) is not None]
        # A low stack holds little but the posterior fossa, where no mode is that of the cortex.
        means[name] = float(np.median(values)) if values else None
        found.append(measure(f"mode {name}", means[name], low, high, "HU"))
    white, grey = means["white matter"], means["grey matter"]
    cnr = None if white is None or grey is None else (grey - white) / noise_hu
    found.append(measure("grey-white contrast over noise", cnr, *_CNR))
    leaks = sum(leaks_label(pair) for pair in pairs)
    found.append(measure("heads that differ by more than lesions", leaks, None, 0.0))
    return found


def tissue_modes(anatomy: Anatomy) -> dict[str, float | None]:
    """Most frequent noise-free HU per tissue, None where the grid does not hold the tissue."""
    hu, depth = anatomy.hu, anatomy.depth
    dry = (anatomy.spaces.csf < 0.02) & (anatomy.spaces.ventricles < 0.02)
    brain = (depth > 1.0) & dry
    white = _mode(hu[brain & (depth > _DEEP_MM)], (15.0, 60.0))
    # Grey matter is the next peak: 5 to 10 HU above the white of the same head.
    grey = None if white is None else _mode(hu[brain], (white + 4.0, white + 16.0))
    return {
        "CSF": _mode(hu[anatomy.spaces.ventricles > 0.98], (0.0, 20.0)),
        "white matter": white,
        "grey matter": grey,
        "compact bone": _mode(hu[depth < 0], (850.0, 1400.0), 10.0),
        "fat": _mode(hu[depth < -4.0], (-150.0, -60.0)),
    }


def leaks_label(pair: Pair) -> bool:
    """Whether drawing lesions changed anything that does not belong to a lesion.

    The head, the scan and the storage have to be the same; the image before noise may differ
    near blood only, inside the skull where a mass pushes the brain, and where an epidural broke
    the bone.
    """
    bled, twin = pair.bled, pair.twin
    same = (
        bled.anatomy.hu.tobytes() == twin.anatomy.hu.tobytes()
        and bled.anatomy.depth.tobytes() == twin.anatomy.depth.tobytes()
        and bled.anatomy.grid.geometry == twin.anatomy.grid.geometry
        and bled.anatomy.subject == twin.anatomy.subject
        and (bled.acquisition, bled.storage) == (twin.acquisition, twin.storage)
    )
    if not same or twin.bled.blood:
        return True
    changed = np.abs(bled.bled.hu - twin.bled.hu) > _ROUNDING_HU
    return bool((changed & ~_may_change(bled)).any())


def _may_change(phantom: Phantom) -> npt.NDArray[np.bool_]:
    anatomy, bled = phantom.anatomy, phantom.bled
    blood = np.zeros(bled.hu.shape, dtype=np.bool_)
    for fraction in bled.blood.values():
        blood |= fraction > 0
    if not blood.any():
        return blood
    voxel_mm = anatomy.grid.voxel_mm
    allowed: npt.NDArray[np.bool_] = (
        ndimage.distance_transform_edt(~blood, sampling=voxel_mm) <= _REACH_MM
    )
    allowed |= (anatomy.depth > 0) & bled.displaced
    epidural = bled.blood.get(EPIDURAL)
    if epidural is not None and (epidural > 0).any():
        reach = ndimage.distance_transform_edt(epidural <= 0, sampling=voxel_mm) <= _FRACTURE_MM
        allowed |= reach & (anatomy.depth <= 0)
    return allowed


def _mode(
    values: npt.NDArray[np.float32], span: tuple[float, float], step: float = 1.0
) -> float | None:
    """Centre of the fullest histogram bin within `span`; None for fewer than 200 values."""
    inside = values[(values >= span[0]) & (values < span[1])]
    if inside.size < 200:
        return None
    counts, edges = np.histogram(inside, bins=np.arange(span[0], span[1] + step, step))
    fullest = int(counts.argmax())
    return float((edges[fullest] + edges[fullest + 1]) / 2)
