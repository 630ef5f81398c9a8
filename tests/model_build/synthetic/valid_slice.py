"""Valid slice: files of a drawn head that keep every rule of the gate, without a generated head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from model_build.synthetic.acquisition import draw_acquisition
from model_build.synthetic.dicom_writer import SeriesHeader, build_dataset, to_bytes
from model_build.synthetic.storage import UNSIGNED_1024, Storage
from tests.factories import head_hu
from tests.model_build.synthetic.level_head import level_geometry


def valid_header(storage: Storage | None = None) -> SeriesHeader:
    """A series of six level slices in 12 unsigned bits, or as `storage` says."""
    geometry = level_geometry(slices=6, fov_mm=230.0)
    drawn = draw_acquisition(np.random.default_rng(0), geometry)
    scan = replace(drawn, kvp=120, kernel="STANDARD")
    return SeriesHeader(0xABC, "7/3", 52, geometry, scan, storage or Storage(form=UNSIGNED_1024))


def valid_series() -> list[bytes]:
    """Its files, lowest first."""
    header = valid_header()
    return [to_bytes(build_dataset(header, index, image(index))) for index in range(6)]


def image(seed: int = 0) -> npt.NDArray[np.int16]:
    """A head-like disc, int16 (512, 512) HU."""
    return head_hu(512, seed)
