"""SliceSet: decoded, labelled slices in memory-mapped Hounsfield units, for training."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from model_build.adapters.records import SourceFacts


def _no_order() -> npt.NDArray[np.float32]:
    return np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class SliceSet:
    """Decoded slices: voxels int16 (N, S, S) in HU, windows float32 (N, 2), labels uint8 (N, 6)."""

    voxels: npt.NDArray[np.int16]
    windows: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    patients: tuple[str, ...]
    usable: npt.NDArray[np.bool_]  # False: a lesion below the label rule, neither class
    refused: dict[str, int]  # gate code -> slices left out
    names: tuple[str, ...] = ()  # file stem, or another name that is unique in the set
    series: tuple[str, ...] = ()  # series key
    order: npt.NDArray[np.float32] = field(default_factory=_no_order)  # mm along the normal, or NaN
    masks: str | None = None  # folder of <name>.png: 0 none, 1..5 subtype + 1, 6 type unknown
    source: str = "phantoms"  # data set name
    facts: SourceFacts = field(default_factory=SourceFacts)
    groups: tuple[str, ...] = ()  # subgroup to report apart, e.g. CQ500 batch
    pixel_hashes: tuple[str, ...] = ()  # of the voxels; empty for a constant image
    corrections: dict[str, int] = field(default_factory=dict)  # code -> repairs and mismatches

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.voxels)

    def read(self, row: int) -> npt.NDArray[np.int16]:
        """Voxels of one slice, (S, S) int16 in HU, as a copy.

        A set larger than the memory is read from its file: page faults in random order make the
        kernel read ahead several times what is wanted, and throw out what is still needed.
        """
        voxels = self.voxels
        if not isinstance(voxels, np.memmap) or voxels.filename is None:
            return np.array(voxels[row])
        shape = voxels.shape[1:]
        place = voxels.offset + int(row) * math.prod(shape) * voxels.itemsize
        found: npt.NDArray[np.int16] = np.fromfile(
            voxels.filename, np.int16, math.prod(shape), offset=place
        )
        return found.reshape(shape)
