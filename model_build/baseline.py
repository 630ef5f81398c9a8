"""Baseline: how far threshold and area alone get, the bar that a network has to clear.

voxels_hu -> half size -> brain mask -> areas above a few HU -> linear probe per label

Clotted blood is the brightest soft tissue of a plain CT (50 to 80 HU), so a detector that knows
nothing of shape or place is already far from chance. What a network adds is what it scores above
this one, fitted on the same training slices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from model_build.metrics import BoolArray, FloatArray
from service.types import SLICE_SIZE

BONE_HU = 300
# Fat, air and the rims of bone are no brain; metal and its streaks leave by the upper end.
SOFT_TISSUE_HU = (-20, 120)
AREA_HU: tuple[int, ...] = (45, 50, 55, 60)
THRESHOLD_HU = 50
FEATURES: tuple[str, ...] = (
    "brain_area",
    "brain_mean_hu",
    *(f"area_over_{hu}_hu" for hu in AREA_HU),
    "largest_over_50_hu",
)
# Half-size pixels (about 1 mm). The gap bridges orbits and foramina at the base; the margin keeps
# the bright partial volume of the inner table, always there, out of the count.
SKULL_GAP = 17
MARGIN = 7
OPENING = 3


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """A standardised logistic regression per label: all that `fit` learned.

    `mean` and `scale` are (F,), `weights` (F, L), `intercepts` (L,).
    """

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    intercepts: FloatArray

    def score(self, features: FloatArray) -> FloatArray:
        """Probabilities (N, L) of features (N, F)."""
        standardised = (features - self.mean) / self.scale
        probabilities: FloatArray = expit(standardised @ self.weights + self.intercepts)
        return probabilities


def slice_features(voxels_hu: npt.NDArray[np.int16]) -> FloatArray:
    """The features of one slice, in the order of `FEATURES`.

    Areas are log(1 + pixels of the half-size matrix), about mm² before the logarithm: the slice
    does not carry its pixel spacing.

    Raises:
        ValueError: not (512, 512).
    """
    if voxels_hu.shape != (SLICE_SIZE, SLICE_SIZE):
        raise ValueError("a slice must be (512, 512)")
    half = SLICE_SIZE // 2
    # The mean of four pixels halves the noise, which otherwise decides the area over 50 HU.
    image = voxels_hu.reshape(half, 2, half, 2).mean(axis=(1, 3), dtype=np.float32)
    brain = brain_mask(image)
    bright = [_opened(brain & (image > hu)) for hu in AREA_HU]
    sizes = [brain.sum(), *(area.sum() for area in bright)]
    sizes.append(_largest_component(bright[AREA_HU.index(THRESHOLD_HU)]))
    areas = np.log1p(np.array(sizes, dtype=np.float64))
    mean_hu = float(image[brain].mean()) if sizes[0] else 0.0
    return np.insert(areas, FEATURES.index("brain_mean_hu"), mean_hu)


def threshold_score(features: FloatArray) -> FloatArray:
    """The bare detector, unfitted: opened area over 50 HU in the brain; (N, F) -> (N,)."""
    return features[:, FEATURES.index(f"area_over_{THRESHOLD_HU}_hu")]


def brain_mask(image_hu: npt.NDArray[np.float32]) -> BoolArray:
    """Soft tissue inside the closed skull, away from the bone, of a half-size slice (256, 256).

    Empty where the skull does not close (vertex, a slice without a head).
    """
    # A frame of nothing keeps the closing from bridging the skull with the edge of the image.
    bone = np.pad(image_hu > BONE_HU, SKULL_GAP).astype(np.uint8)
    skull = ndimage.minimum_filter(ndimage.maximum_filter(bone, SKULL_GAP), SKULL_GAP)
    regions, _ = ndimage.label(skull == 0)
    inside = (regions > 0) & (regions != regions[0, 0])
    deep = ndimage.minimum_filter(inside.astype(np.uint8), MARGIN).astype(bool)
    low, high = SOFT_TISSUE_HU
    cropped = deep[SKULL_GAP:-SKULL_GAP, SKULL_GAP:-SKULL_GAP]
    brain: BoolArray = cropped & (image_hu > low) & (image_hu < high)
    return brain


def fit(features: FloatArray, labels: npt.NDArray[np.integer]) -> LinearProbe:
    """Fit the probe on the training split.

    Args:
        features: (N, F) rows of `slice_features`.
        labels: (N, L), 0 or 1. A label of one class only gets its constant share, smoothed.

    Raises:
        ValueError: there is no slice, or the lengths differ.
    """
    if not len(features) or len(features) != len(labels):
        raise ValueError("the probe needs as many label rows as feature rows, at least one")
    mean, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    standardised = (features - mean) / scale
    weights = np.zeros((features.shape[1], labels.shape[1]))
    intercepts = np.zeros(labels.shape[1])
    for label in range(labels.shape[1]):
        present = labels[:, label]
        if present.min() == present.max():
            share = (present.sum() + 0.5) / (len(present) + 1.0)
            intercepts[label] = np.log(share / (1.0 - share))
            continue
        # No class weights: they would spoil the probabilities and do nothing for the AUROC.
        regression = LogisticRegression(max_iter=1000).fit(standardised, present)
        weights[:, label] = regression.coef_[0]
        intercepts[label] = regression.intercept_[0]
    return LinearProbe(mean, scale, weights, intercepts)


def _opened(mask: BoolArray) -> BoolArray:
    eroded = ndimage.minimum_filter(mask.astype(np.uint8), OPENING)
    opened: BoolArray = ndimage.maximum_filter(eroded, OPENING).astype(bool)
    return opened


def _largest_component(mask: BoolArray) -> int:
    regions, count = ndimage.label(mask)
    return int(np.bincount(regions.ravel())[1:].max()) if count else 0
