"""Library: the compiled functions as Python sees them, and which variants this processor runs.

ctypes releases the interpreter's lock for the length of each call.
"""

from __future__ import annotations

import weakref
from ctypes import CDLL, c_char_p, c_double, c_int, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.engine.native.build import expected_library
from service.types import SLICE_SIZE

MAP_CELLS = 800  # 8 maps of 10 x 10 behind unit 5


@dataclass(frozen=True, slots=True)
class Variant:
    """The kernel compiled for one instruction set: `amx`, `avx512`, `avx2`, or one with `_bf16`."""

    name: str
    precision: str  # "fp32" or "bf16"


@dataclass(frozen=True, slots=True)
class Jobs:
    """Windows to run, n of them: index of the slice int32 (n,), limits in HU float32 (n,) each."""

    slices: npt.NDArray[np.int32]
    lower: npt.NDArray[np.float32]
    width: npt.NDArray[np.float32]


def open_library(path: Path | None = None) -> CDLL | None:
    """The library of exactly these sources; None where it was not built or cannot be loaded."""
    target = path or expected_library()
    try:
        library = CDLL(str(target))
    except OSError:
        return None
    library.ich_variant.argtypes, library.ich_variant.restype = [c_int], c_char_p
    library.ich_precision.argtypes, library.ich_precision.restype = [c_char_p], c_char_p
    library.ich_open.argtypes = [c_char_p, c_void_p, c_int64, c_int]
    library.ich_open.restype = c_void_p
    library.ich_close.argtypes, library.ich_close.restype = [c_void_p], None
    library.ich_threads.argtypes, library.ich_threads.restype = [c_void_p], c_int
    pointers = [c_void_p] * 5
    library.ich_run.argtypes, library.ich_run.restype = [*pointers, c_int, c_int, c_void_p], None
    library.ich_spin.argtypes, library.ich_spin.restype = [c_char_p, c_int64], c_double
    return library


@cache
def library() -> CDLL | None:
    """`open_library` once per process."""
    return open_library()


def variants() -> tuple[Variant, ...]:
    """What this processor runs, fastest first; empty without the library."""
    loaded = library()
    found: list[Variant] = []
    if loaded is not None:
        index = 0
        while (name := loaded.ich_variant(index)) is not None:
            precision = loaded.ich_precision(name)
            if precision is not None:  # it was built, and this processor runs it
                found.append(Variant(name.decode(), precision.decode()))
            index += 1
    return tuple(found)


def spin(variant: Variant, rounds: int) -> float:
    """Run that many rounds of multiply-adds in registers; returns floating-point operations."""
    loaded = library()
    return 0.0 if loaded is None else float(loaded.ich_spin(variant.name.encode(), rounds))


class Kernel:
    """Units 1 to 5 with given weights, one variant and a team of threads; closed by `close`.

    Args:
        variant: one of `variants()`.
        blob: float32 (n,), the weights as `folding.fold` lays them out.
        threads: at least 1; the calling thread is one of them.

    Raises:
        RuntimeError: no library, a variant that this processor lacks, or weights of another
            network.
    """

    def __init__(self, variant: Variant, blob: npt.NDArray[np.float32], threads: int) -> None:
        loaded = library()
        if loaded is None:
            raise RuntimeError("the native library was not built")
        blob = np.ascontiguousarray(blob, np.float32)
        self._library = loaded
        handle = loaded.ich_open(variant.name.encode(), blob.ctypes.data, len(blob), threads)
        if handle is None:
            raise RuntimeError("the native kernel does not take these weights on this processor")
        self._handle: int = handle
        self._end = weakref.finalize(self, loaded.ich_close, handle)
        self.variant = variant
        self.threads = int(loaded.ich_threads(handle))

    def run(
        self, voxels: npt.NDArray[np.int16], jobs: Jobs, *, skip_air: bool = True
    ) -> npt.NDArray[np.float32]:
        """Maps of unit 5, channel first, as the trunk flattens them: float32 (n, 800).

        Args:
            voxels: int16 (B, 512, 512) in HU.
            jobs: which windows of which slices.
            skip_air: leave out what is air; changes the time and no bit of the answer.

        Raises:
            ValueError: wrong shapes or types, a job without its slice, or a window that is not
                finite or not wider than zero.
        """
        voxels = np.ascontiguousarray(voxels)
        _check(voxels, jobs)
        maps = np.empty((len(jobs.slices), MAP_CELLS), np.float32)
        inputs = (np.ascontiguousarray(each) for each in (jobs.slices, jobs.lower, jobs.width))
        slices, lower, width = inputs
        if not self._end.alive:
            raise ValueError("the kernel is closed")
        self._library.ich_run(
            self._handle,
            voxels.ctypes.data,
            slices.ctypes.data,
            lower.ctypes.data,
            width.ctypes.data,
            len(slices),
            int(skip_air),
            maps.ctypes.data,
        )
        return maps

    def close(self) -> None:
        """End the threads and free the memory; a second call does nothing."""
        self._end()


def _check(voxels: npt.NDArray[np.int16], jobs: Jobs) -> None:
    """Refuse what the compiled code would read past its memory for, or answer without meaning."""
    if voxels.dtype != np.int16 or voxels.shape[1:] != (SLICE_SIZE, SLICE_SIZE):
        raise ValueError("voxels must be int16 (B, 512, 512)")
    count = (len(jobs.slices),)
    kinds = [str(each.dtype) for each in (jobs.slices, jobs.lower, jobs.width)]
    if kinds != ["int32", "float32", "float32"]:
        raise ValueError("jobs must be int32, float32 and float32")
    if not jobs.slices.shape == jobs.lower.shape == jobs.width.shape == count:
        raise ValueError("each job needs one slice, one lower limit and one width")
    if count[0] and not 0 <= jobs.slices.min() <= jobs.slices.max() < len(voxels):
        raise ValueError("a job names a slice that is not there")
    if not (np.isfinite(jobs.lower).all() and np.isfinite(jobs.width).all()):
        raise ValueError("a window is not finite")
    if count[0] and jobs.width.min() <= 0:
        raise ValueError("a window must be wider than zero")
