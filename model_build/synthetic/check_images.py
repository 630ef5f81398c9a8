"""Check images: what simple detectors see in the written slices, their noise, and the gate.

dicom/ ─> service.dicom.decode ─> areas, 8x8 thumbnails, pixel hashes, codes ─> measures
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from tqdm import tqdm

from model_build.baseline import slice_features, threshold_score
from model_build.metrics import auroc
from model_build.synthetic.measure import Measure, measure
from model_build.synthetic.rise import rise_of
from model_build.synthetic.truth import Floats, Truth
from service.dicom.decode import decode_slice
from service.types import LABELS

MAX_DETECTOR, MAX_PROBE = 0.90, 0.70
THUMBNAIL = 8
RISE_HU = (3.0, 16.0)  # two real heads have 3 and 14 HU
RISE_EVERY = 4  # the filling of skulls takes longest of all
_FOLDS = 5
_BRAIN_HU = (15, 60)
_HEAD_EDGE_PX = 9  # away from bone and sulci at the vault, where a twin may differ by its blood


@dataclass(frozen=True, slots=True)
class Seen:
    """What one pass over N slices keeps.

    Attributes:
        features: (N, F) of `baseline.slice_features`.
        thumbnails: (N, 64), mean of the slice in the brain window, 0..1.
        hashes: Of the decoded pixels.
        codes: Gate code -> slices.
        refused: Slices that the gate does not let through.
        noise_hu: SD of the noise in each pair of twins without blood.
        rises_hu: `rise.rise_of` the slices without blood that have one.
    """

    features: Floats
    thumbnails: Floats
    hashes: tuple[str, ...]
    codes: Counter[str]
    refused: int
    noise_hu: tuple[float, ...]
    rises_hu: tuple[float, ...]


def look(folder: Path, truth: Truth, rows: npt.NDArray[np.intp], progress: bool = True) -> Seen:
    """Decode the slices `rows` of a set once and keep what the checks need."""
    features, thumbnails, hashes, noise, rises = [], [], [], [], []
    codes: Counter[str] = Counter()
    refused = 0
    clean = {name for name, label in zip(truth.names, truth.labels, strict=True) if not label[-1]}
    for row in tqdm(rows, unit="slice", disable=not progress):
        decoded = decode_slice((folder / "dicom" / f"{truth.names[row]}.dcm").read_bytes())
        codes.update({item.code for item in decoded.violations})
        hu = np.zeros((512, 512), np.int16)
        if decoded.slice_hu is None:
            refused += 1
        else:
            hu = decoded.slice_hu.voxels_hu
        features.append(slice_features(hu))
        thumbnails.append(thumbnail(hu))
        hashes.append(hashlib.sha256(hu.tobytes()).hexdigest())
        if truth.names[row] in clean and row % RISE_EVERY == 0:
            rises.append(rise_of(hu))
        twin = truth.twins[row]
        if twin and {truth.names[row], twin} <= clean and truth.names[row] < twin:
            noise.append(_pair_noise(folder, truth.names[row], twin))
    known, risen = (tuple(x for x in each if x is not None) for each in (noise, rises))
    return Seen(
        np.stack(features), np.stack(thumbnails), tuple(hashes), codes, refused, known, risen
    )


def check_images(truth: Truth, rows: npt.NDArray[np.intp], seen: Seen) -> list[Measure]:
    """Detectors, noise, gate and duplicates of the slices `rows`."""
    kept = ~truth.subvisible[rows]
    labels = truth.labels[rows][kept]
    patients = np.array(truth.patients)[rows][kept]
    scores = threshold_score(seen.features[kept])
    probe = probe_scores(seen.thumbnails[kept], labels, patients)
    found = []
    for k, name in enumerate(LABELS):
        found.append(
            measure(
                f"threshold detector AUROC {name}", auroc(scores, labels[:, k]), None, MAX_DETECTOR
            )
        )
    for k, name in enumerate(LABELS):
        area = None if probe is None else auroc(probe[:, k], labels[:, k])
        # The shortcut alarm is about `any`; subtypes differ in place, which is no shortcut.
        limit = MAX_PROBE if name == "any" else None
        found.append(measure(f"thumbnail probe AUROC {name}", area, None, limit))
    return [*found, *_check_quality(truth, rows, seen)]


def thumbnail(hu: npt.NDArray[np.int16]) -> Floats:
    """64 means of the brain window (0..80 HU as 0..1) of a slice (512, 512)."""
    side = hu.shape[0] // THUMBNAIL
    grey = np.clip(hu, 0, 80).astype(np.float32) / 80.0
    small: Floats = grey.reshape(THUMBNAIL, side, THUMBNAIL, side).mean(axis=(1, 3)).ravel()
    return small.astype(np.float64)


def probe_scores(
    thumbnails: Floats, labels: npt.NDArray[np.uint8], patients: npt.NDArray[np.str_]
) -> Floats | None:
    """Scores (N, 6) of a linear probe, each from a fit without the slices of its own patient.

    None when there are fewer patients than folds.
    """
    if len(set(patients)) < _FOLDS:
        return None
    scores = np.zeros(labels.shape)
    for fit, test in GroupKFold(_FOLDS).split(thumbnails, groups=patients):
        mean, scale = thumbnails[fit].mean(axis=0), thumbnails[fit].std(axis=0) + 1e-6
        for k in range(labels.shape[1]):
            if labels[fit, k].min() == labels[fit, k].max():
                continue
            model = LogisticRegression(C=0.1, max_iter=500)
            model.fit((thumbnails[fit] - mean) / scale, labels[fit, k])
            scores[test, k] = model.decision_function((thumbnails[test] - mean) / scale)
    return scores


def _check_quality(truth: Truth, rows: npt.NDArray[np.intp], seen: Seen) -> list[Measure]:
    noise = float(np.median(seen.noise_hu)) if seen.noise_hu else None
    drawn = float(np.median(truth.noise_hu[rows]))
    risen = float(np.median(seen.rises_hu)) if seen.rises_hu else None
    found = [
        measure("rise of brain towards the skull", risen, *RISE_HU, "HU"),
        measure("noise SD in brain, from twins", noise, 2.5, 7.0, "HU"),
        measure("noise SD drawn", drawn, 2.5, 7.0, "HU"),
        measure("slices refused by the gate", seen.refused, None, 0.0),
        measure("slices with the pixels of another", len(rows) - len(set(seen.hashes)), None, 0.0),
    ]
    for code, count in sorted(seen.codes.items()):
        found.append(measure(f"share of slices with {code}", count / len(rows), None, 0.15))
    return found


def _pair_noise(folder: Path, one: str, two: str) -> float | None:
    """SD of the noise in the brain of two scans of one head without blood on the slice."""
    pair = [decode_slice((folder / "dicom" / f"{name}.dcm").read_bytes()) for name in (one, two)]
    if any(found.slice_hu is None for found in pair):
        return None
    first, second = (found.slice_hu.voxels_hu.astype(np.int32) for found in pair if found.slice_hu)
    smooth = ndimage.uniform_filter((first + second) * 0.5, 5)
    brain = (smooth > _BRAIN_HU[0]) & (smooth < _BRAIN_HU[1])
    brain = ndimage.binary_erosion(brain, iterations=_HEAD_EDGE_PX)
    if np.count_nonzero(brain) < 2000:
        return None
    gap = (first - second)[brain]
    # Robust, because mass effect moves edges between the two scans; SD of a difference is root 2.
    return float(1.4826 * np.median(np.abs(gap - np.median(gap))) / np.sqrt(2.0))
