"""Cache: decode a labelled DICOM folder once, in parallel, into a memory map.

The key is the decoder version with the names, sizes and times of the files, not their content.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from model_build.adapters.rsna import LabelledFile, read_folder
from model_build.dataset import SliceSet
from service.dicom.decode import decode_slice
from service.dicom.limits import Caps
from service.dicom.patient import patient_key
from service.types import LABELS, SLICE_SIZE

DECODER_VERSION = 1  # raise it when service.dicom changes the Hounsfield values of any file
CHUNK = 64

Decoded = tuple[int, str, tuple[float, float], str]  # row, patient, window, refusal code or ""


def load(folder: Path, cache: Path, workers: int, *, progress: bool = True) -> SliceSet:
    """Decode `folder` (RSNA layout), or reopen what an earlier call decoded.

    Raises:
        ValueError: the labels of the folder are inconsistent (see `adapters.rsna`).
    """
    files = read_folder(folder)
    home = cache / _key(files)
    if not (home / "index.json").exists():
        _build(files, home, workers, progress)
    return _open(files, home)


def _key(files: Sequence[LabelledFile]) -> str:
    """Hash of what decides the cache: decoder version, names, sizes and times of the files."""
    digest = hashlib.sha256(str(DECODER_VERSION).encode())
    for file in files:
        stat = file.path.stat()
        digest.update(f"{file.path.name}:{stat.st_size}:{stat.st_mtime_ns};".encode())
    return digest.hexdigest()[:16]


def _build(files: Sequence[LabelledFile], home: Path, workers: int, progress: bool) -> None:
    """Decode into a temporary folder and rename it: a killed build leaves no half cache."""
    draft = home.with_suffix(".partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    shape = (len(files), SLICE_SIZE, SLICE_SIZE)
    np.lib.format.open_memmap(draft / "voxels.npy", mode="w+", dtype=np.int16, shape=shape).flush()
    paths = [file.path for file in files]
    chunks = [(draft, start, paths[start : start + CHUNK]) for start in range(0, len(paths), CHUNK)]
    rows: list[Decoded] = []
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
        tqdm(total=len(paths), desc="decode", unit="slice", disable=not progress) as bar,
    ):
        for part in pool.map(_decode_chunk, chunks):
            rows += part
            bar.update(len(part))
    (draft / "index.json").write_text(json.dumps(rows), encoding="utf-8")
    draft.rename(home)


def _decode_chunk(task: tuple[Path, int, Sequence[Path]]) -> list[Decoded]:
    home, start, paths = task
    voxels = np.load(home / "voxels.npy", mmap_mode="r+")
    rows: list[Decoded] = []
    for row, path in enumerate(paths, start):
        body = path.read_bytes()
        found = decode_slice(body, Caps())
        if found.slice_hu is None:
            code = next(item.code for item in found.violations if item.action in ("reject", "skip"))
            rows.append((row, "", (0.0, 0.0), code))
            continue
        voxels[row] = found.slice_hu.voxels_hu
        window = found.slice_hu.window
        rows.append((row, patient_key(body), (window.center, window.width), ""))
    voxels.flush()
    return rows


def _open(files: Sequence[LabelledFile], home: Path) -> SliceSet:
    rows = json.loads((home / "index.json").read_text(encoding="utf-8"))
    kept = [row for row in rows if not row[3]]
    places = np.array([row[0] for row in kept], dtype=np.intp)
    voxels: npt.NDArray[np.int16] = np.load(home / "voxels.npy", mmap_mode="r")
    chosen = [files[place] for place in places]
    return SliceSet(
        # A fancy index would copy gigabytes; it is only needed when something was refused.
        voxels=voxels if len(kept) == len(rows) else voxels[places],
        windows=np.array([row[2] for row in kept], dtype=np.float32),
        labels=np.array([file.labels for file in chosen], dtype=np.uint8).reshape(-1, len(LABELS)),
        patients=tuple(row[1] for row in kept),
        usable=np.array([not file.subvisible for file in chosen], dtype=np.bool_),
        refused=dict(Counter(row[3] for row in rows if row[3])),
    )
