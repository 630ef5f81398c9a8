"""Segmentation data: brain-window slices with blood masks, of one size, in memory.

SliceSet with masks (phantoms, CT-ICH) -> `from_slices`   512 pixels, or a whole part of it
CT-ICH v1.0.0 JPEG on disk             -> `from_pictures` 640 pixels, as in Hssayeni et al. 2020
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_build import masks
from model_build.adapters.ct_ich_jpeg import CtIchJpegSource
from model_build.adapters.pictures import read_grey, without_border
from model_build.adapters.records import Item
from model_build.companions.unet import BRAIN_CENTER_HU, BRAIN_WIDTH_HU
from model_build.slice_set import SliceSet
from service.types import LABELS

Bytes = npt.NDArray[np.uint8]
WHITE = 255
BORDER = 5  # pixels of the 650 that the authors cut away on each side
MASK_THRESHOLD = 127  # JPEG blurs the edge of a mask


@dataclass(frozen=True, slots=True)
class SegmentationSet:
    """Slices and masks: images uint8 (N, S, S) of the brain window, masks bool (N, S, S).

    `labels` is uint8 (N, 6). A mask says where blood is and not of which kind: the five subtypes
    of a slice are its labels.
    """

    images: Bytes
    masks: npt.NDArray[np.bool_]
    labels: Bytes
    patients: tuple[str, ...]
    names: tuple[str, ...]
    source: str

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.images)

    @property
    def size(self) -> int:
        """Pixels of a side."""
        return int(self.images.shape[-1])


def from_slices(
    source: SliceSet, size: int, rows: npt.NDArray[np.intp] | None = None
) -> SegmentationSet:
    """The usable slices of a decoded set that has masks.

    Args:
        source: in HU, or grey values of the brain window where its facts say so.
        size: pixels of a side, a whole part of the set's own.
        rows: which slices; all usable ones where not given.

    Raises:
        ValueError: the set has no masks or no labels of slices, or the size is no whole part.
    """
    if source.masks is None or len(source.names) != len(source):
        raise ValueError("this data set has no lesion masks; segmentation needs them")
    if source.facts.label_level != "slice":
        raise ValueError("this data set does not label slices")
    chosen = np.flatnonzero(source.usable) if rows is None else rows[source.usable[rows]]
    own = source.voxels.shape[-1]
    images = np.empty((len(chosen), size, size), np.uint8)
    inside = np.empty((len(chosen), size, size), np.bool_)
    for place, row in enumerate(chosen):
        voxels = reduced(source.voxels[row], size)
        images[place] = brain_window(voxels) if source.facts.hounsfield else np.rint(voxels)
        drawn = masks.read(source.masks, source.names[row], own)
        inside[place] = reduced(drawn > 0, size) >= 0.5
    return SegmentationSet(
        images=images,
        masks=inside,
        labels=source.labels[chosen],
        patients=tuple(source.patients[row] for row in chosen),
        names=tuple(source.names[row] for row in chosen),
        source=source.source,
    )


def from_pictures(source: CtIchJpegSource, size: int = 640) -> SegmentationSet:
    """CT-ICH v1.0.0 as its authors used it: 650 x 650 pixels without a border of 5.

    Raises:
        ValueError: the labels contradict themselves, a picture is not of 650 x 650, or the size
            is no whole part of 640.
        FileNotFoundError: there is no picture of a labelled slice.
    """
    items = source.listing().items
    pairs = [_picture(item, size) for item in items]
    return SegmentationSet(
        images=np.stack([image for image, _ in pairs]),
        masks=np.stack([inside for _, inside in pairs]),
        labels=np.array([item.labels for item in items], np.uint8).reshape(-1, len(LABELS)),
        patients=tuple(item.patient for item in items),
        names=tuple(item.name for item in items),
        source=source.facts.name,
    )


def brain_window(voxels_hu: npt.NDArray[np.float64]) -> Bytes:
    """The window 40/120 as 8 bits, as in the JPEG release: 0.47 HU a step."""
    lower = BRAIN_CENTER_HU - BRAIN_WIDTH_HU / 2
    share = np.clip((voxels_hu - lower) / BRAIN_WIDTH_HU, 0.0, 1.0)
    return np.rint(share * WHITE).astype(np.uint8)


def reduced(pixels: npt.NDArray[np.generic], size: int) -> npt.NDArray[np.float64]:
    """Mean over square blocks: (S, S) -> (size, size) float64.

    Raises:
        ValueError: `size` is no whole part of S.
    """
    own = pixels.shape[-1]
    if pixels.shape != (own, own) or size <= 0 or own % size:
        raise ValueError(f"{size} pixels are no whole part of a slice of {own}")
    blocks = pixels.astype(np.float64).reshape(size, own // size, size, own // size)
    means: npt.NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return means


def _picture(item: Item, size: int) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    grey = without_border(read_grey(item.path), BORDER)
    inside = np.zeros(grey.shape, np.bool_)
    if item.mask is not None:
        inside = without_border(read_grey(item.mask), BORDER) > MASK_THRESHOLD
    if inside.shape != grey.shape:
        raise ValueError("a mask of this data set has another size than its picture")
    return np.rint(reduced(grey, size)).astype(np.uint8), reduced(inside, size) >= 0.5
