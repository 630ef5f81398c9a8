"""Check lesions: volumes, densities and prevalences of a phantom set against published tables.

truth.csv, masks/ ─> connected lesions, series means, shares ─> measures with limits
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats

from model_build.synthetic.masks import read_mask
from model_build.synthetic.measure import Measure, measure
from model_build.synthetic.plan import Mode
from model_build.synthetic.truth import SUBTYPES, Floats, Truth
from service.types import LABELS

# BHSD, 192 scans (CC0 table): ln mL of a connected lesion; mean HU of lesions of 1 mL or more.
BHSD_LN_ML = ((0.94, 1.97), (0.31, 2.20), (-0.48, 1.70), (-1.57, 1.45), (-0.37, 2.09))
BHSD_HU = ((57.7, 9.2), (49.7, 7.3), (43.5, 8.6), (45.6, 6.8), (50.5, 13.5))
# RSNA 2019 at slice level: epidural, intraparenchymal, intraventricular, subarachnoid, subdural.
NATURAL = (0.0042, 0.048, 0.035, 0.047, 0.063, 0.143)
# A distribution of another shape, wherever it is centred, reaches this distance.
KS_VOLUME, KS_HU = 0.35, 0.30
MIN_LESIONS = 8  # fewer say nothing about a distribution
_LEAST_ML = 0.01  # half of the smallest lesion of the table
_TRAINING_SHARE = (0.03, 0.40)  # of positive slices per subtype: enough to learn, not the rule


def check_lesions(folder: Path, truth: Truth, mode: Mode) -> list[Measure]:
    """Kolmogorov-Smirnov distances of volume and HU, and the share of each label."""
    volumes = lesion_volumes(folder, truth)
    hu = series_hu(truth)
    found = []
    for k, name in enumerate(SUBTYPES):
        mean, spread = BHSD_LN_ML[k]
        distance = _distance(np.log(volumes[k]), mean, spread)
        found.append(_limited(f"KS volume {name}", distance, KS_VOLUME, len(volumes[k])))
        found.append(measure(f"median volume {name}", _median(volumes[k]), unit="mL"))
    for k, name in enumerate(SUBTYPES):
        distance = _distance(hu[k], *BHSD_HU[k])
        found.append(_limited(f"KS mean HU {name}", distance, KS_HU, len(hu[k])))
        found.append(measure(f"mean HU {name}", _mean(hu[k]), unit="HU"))
    return found + check_prevalence(truth, mode)


def lesion_volumes(folder: Path, truth: Truth) -> list[Floats]:
    """Volumes in mL of the connected lesions of each subtype, as a segmentation has them.

    Connected by faces, edges or corners through the slices of a series.
    """
    volumes: list[list[float]] = [[] for _ in SUBTYPES]
    for masks, voxel_ml in _series_masks(folder, truth):
        for k in range(len(SUBTYPES)):
            regions, _ = ndimage.label(masks == k + 1, structure=np.ones((3, 3, 3)))
            sizes = np.bincount(regions.ravel())[1:] * voxel_ml
            volumes[k] += [float(size) for size in sizes if size >= _LEAST_ML]
    return [np.array(values) for values in volumes]


def series_hu(truth: Truth) -> list[Floats]:
    """Mean noise-free HU of each subtype in each series with 1 mL of it, away from bone."""
    series = np.array(truth.series)
    found: list[list[float]] = [[] for _ in SUBTYPES]
    for name in dict.fromkeys(truth.series):
        rows = series == name
        for k in range(len(SUBTYPES)):
            area, hu = truth.area_mm2[rows, k], truth.mean_hu[rows, k]
            known = np.isfinite(hu) & (area > 0)
            if truth.volumes_ml[rows, k].max() >= 1.0 and known.any():
                found[k].append(float(np.average(hu[known], weights=area[known])))
    return [np.array(values) for values in found]


def check_prevalence(truth: Truth, mode: Mode) -> list[Measure]:
    """Share of positive slices per label.

    Natural sets have to hold the published share within three standard errors, clustered by
    series; training sets a share that can be learnt.
    """
    found = []
    for k, name in enumerate(LABELS):
        share = float(truth.labels[:, k].mean())
        low, high = _TRAINING_SHARE if k < len(SUBTYPES) else (0.2, 0.7)
        if mode == "natural":
            margin = 3.0 * _standard_error(truth, k, NATURAL[k])
            low, high = max(0.0, NATURAL[k] - margin), NATURAL[k] + margin
        found.append(measure(f"prevalence {name}", share, low, high))
    return [*found, measure("subvisible slices", float(truth.subvisible.mean()), high=0.25)]


def _standard_error(truth: Truth, label: int, share: float) -> float:
    """Of a share of slices when the series are drawn at random."""
    _, series = np.unique(truth.series, return_inverse=True)
    count = np.bincount(series)
    excess = np.bincount(series, weights=truth.labels[:, label]) - share * count
    if len(count) < 2:
        return 1.0
    variance = (excess**2).sum() * len(count) / (len(count) - 1)
    # Where no series is positive yet, the binomial error of the series is the least to expect.
    least = share * (1 - share) / len(count)
    return float(np.sqrt(max(variance / count.sum() ** 2, least)))


def _series_masks(folder: Path, truth: Truth) -> Iterator[tuple[npt.NDArray[np.uint8], float]]:
    """Masks (Z, Y, X) of each bleeding series, cropped to the blood, and mL of one voxel."""
    series, order = np.array(truth.series), truth.planes
    for name in dict.fromkeys(truth.series):
        rows = np.flatnonzero(series == name)
        if not truth.bleeding[rows[0]]:
            continue
        rows = rows[np.argsort(order[rows])]
        masks = np.stack([read_mask(folder / "masks" / f"{truth.names[r]}.png") for r in rows])
        inside = ndimage.find_objects((masks > 0).astype(np.uint8))
        if inside:
            yield masks[inside[0]], float(truth.voxel_ml[rows[0]])


def _distance(values: Floats, mean: float, spread: float) -> float | None:
    if len(values) < MIN_LESIONS:
        return None
    return float(stats.kstest(values, stats.norm(mean, spread).cdf).statistic)


def _limited(name: str, distance: float | None, limit: float, count: int) -> Measure:
    """The limit for an endless sample, widened by the 5 % point of the distance of `count`."""
    return measure(name, distance, high=round(limit + 1.36 / max(1, count) ** 0.5, 3))


def _median(values: Floats) -> float | None:
    return float(np.median(values)) if len(values) else None


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None
