"""Payloads: the DICOM slices that are sent, real ones from a folder or variants of the sample.

LOAD_TEST_DICOM=folder ─> its files ────────────────────┐
otherwise samples/ ─> noise and own UIDs for each slice ─┴─> tuple of bytes, all different
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from load_tests.target import LoadTestError

SAMPLE = Path(__file__).parents[1] / "samples" / "synthetic_slice.dcm"
VARIANTS = 28  # slices of a usual head series
NOISE = 2  # stored values; one Hounsfield unit each in the sample


@lru_cache(maxsize=4)
def synthetic_series(sample: Path = SAMPLE, count: int = VARIANTS) -> tuple[bytes, ...]:
    """Variants of one slice with other noise and instance UID, deterministic.

    Identical bodies would flatter every cache between the socket and the network.
    """
    if not sample.is_file():
        raise LoadTestError("The sample slice is missing: `make sample` writes it.")
    return tuple(_variant(sample.read_bytes(), number) for number in range(count))


def _variant(sample: bytes, number: int) -> bytes:
    dataset = dcmread(io.BytesIO(sample))
    stored = dataset.pixel_array
    rng = np.random.default_rng(number)
    noise = rng.integers(-NOISE, NOISE + 1, stored.shape)
    # Air stays as it is: below it lies padding, which is not noisy in a real slice either.
    varied = np.where(stored > stored.min() + NOISE, stored + noise, stored)
    limits = np.iinfo(stored.dtype)
    dataset.PixelData = varied.clip(limits.min, limits.max).astype(stored.dtype).tobytes()
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["load test", str(number)])
    # The sample is deflated to be small; scanners and gateways send plain pixels.
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.InstanceNumber = number + 1
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def folder_series(folder: Path) -> tuple[bytes, ...]:
    """Every DICOM file of a folder and below it, by name.

    Raises:
        LoadTestError: the folder holds none.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    bodies = tuple(body for body in map(Path.read_bytes, files) if body[128:132] == b"DICM")
    if not bodies:
        raise LoadTestError("LOAD_TEST_DICOM names a folder without DICOM files.")
    return bodies


def payloads(environment: Mapping[str, str] = os.environ) -> tuple[bytes, ...]:
    """The slices of this run."""
    folder = environment.get("LOAD_TEST_DICOM")
    return folder_series(Path(folder)) if folder else synthetic_series()
