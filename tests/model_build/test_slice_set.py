"""Slice set: a slice read from its file is the slice of the memory map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from model_build.slice_set import SliceSet


def slices(voxels: npt.NDArray[np.int16]) -> SliceSet:
    """A set that is nothing but its voxels."""
    count = len(voxels)
    labels, windows = np.zeros((count, 6), np.uint8), np.zeros((count, 2), np.float32)
    return SliceSet(voxels, windows, labels, ("P",) * count, np.ones(count, bool), {})


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("offset", [0, 64])
def test_every_slice_is_read_whole_and_as_a_copy(tmp_path: Path, mapped: bool, offset: int) -> None:
    """From a file, also behind a header of it, and from memory."""
    voxels = np.arange(3 * 16 * 16, dtype="<i2").reshape(3, 16, 16)
    path = tmp_path / "voxels.int16"
    path.write_bytes(bytes(offset) + voxels.tobytes())
    kept = np.memmap(path, "<i2", "r", offset, voxels.shape) if mapped else voxels.copy()
    found = slices(kept)
    for row in (0, 2, np.int64(1)):
        np.testing.assert_array_equal(found.read(int(row)), voxels[row])
    copy = found.read(0)
    copy[:] = -5
    assert int(found.read(0)[0, 1]) == 1
