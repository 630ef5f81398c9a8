"""Acquisition: from a noise-free head to the HU of each slice, as a scanner would give them.

sub-slices ─> beam hardening ─> slice profile ─> point spread to 512x512 ─> artefacts ─> noise
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from model_build.synthetic.geometry import MATRIX, Field, HeadGrid, ScanGeometry

_AIR_HU = -1000.0
_FINE_PX, _COARSE_PX, _COARSE_SHARE = 0.75, 1.8, 0.55  # band-pass texture of CT noise


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How the series was scanned.

    Attributes:
        kvp: Tube voltage, kV.
        mas: Exposure, mAs.
        noise_hu: SD of the noise in brain, HU.
        kernel: Name of the reconstruction kernel.
        sharpen: Strength of the edge enhancement, 0 for soft kernels.
        psf_mm: SD of the in-plane point spread.
        cupping_hu: Loss at the head centre, HU (0 or less).
        band_hu: Dark band between the petrous bones, HU (0 or less).
        metal_mm: Place of a metal clip in the head frame, or None.
        motion: First and last moved slice and the shift in pixels, or None.
        headrest: Whether the headrest is in view.
    """

    kvp: int
    mas: int
    noise_hu: float
    kernel: str
    sharpen: float
    psf_mm: float
    cupping_hu: float
    band_hu: float
    metal_mm: tuple[float, float, float] | None
    motion: tuple[int, int, int] | None
    headrest: bool


def draw_acquisition(rng: np.random.Generator, geometry: ScanGeometry) -> Acquisition:
    """Draw the scan parameters; noise falls with the root of thickness."""
    # All numbers are drawn before any is used: an option never shifts the draws after it.
    noise = rng.normal(4.0, 0.8) * (5.0 / geometry.thickness_mm) ** 0.5
    kernel = str(rng.choice(["SOFT", "STANDARD", "SHARP", "BONE"], p=[0.35, 0.5, 0.13, 0.02]))
    first = int(rng.integers(0, geometry.slices))
    moved = (first, first + int(rng.integers(1, 6)), int(rng.choice([-1, 1]) * rng.integers(2, 7)))
    clip = (float(rng.normal(0, 15)), float(rng.normal(-5, 25)), float(rng.uniform(5, 30)))
    lucks = rng.random(3)
    loud = {"SOFT": 0.9, "STANDARD": 1.0, "SHARP": 1.25, "BONE": 1.7}[kernel]
    return Acquisition(
        kvp=int(rng.choice([120, 100, 130, 140], p=[0.8, 0.06, 0.08, 0.06])),
        mas=int(rng.integers(180, 420)),
        noise_hu=float(np.clip(noise * loud, 2.5, 7.0)),
        kernel=kernel,
        sharpen={"SOFT": 0.0, "STANDARD": 0.15, "SHARP": 0.5, "BONE": 1.5}[kernel],
        psf_mm=float(rng.uniform(0.45, 0.62)),
        cupping_hu=float(rng.uniform(-4.0, 0.0)),
        band_hu=float(rng.uniform(-25.0, -8.0)),
        metal_mm=clip if lucks[0] < 0.02 else None,
        motion=moved if lucks[1] < 0.05 else None,
        headrest=bool(lucks[2] < 0.5),
    )


def slice_profile(field: Field, geometry: ScanGeometry) -> Field:
    """Average sub-slices (Z*sub, Y, X) to slices (Z, Y, X): partial volume along the table."""
    shape = (geometry.slices, geometry.subslices, *field.shape[1:])
    mean: Field = field.reshape(shape).mean(axis=1, dtype=np.float32)
    return mean


def beam_hardening(acquisition: Acquisition, grid: HeadGrid, depth: Field) -> Field:
    """HU to add per slice: cupping in the cavity and the dark interpetrous band, (Z, Y, X)."""
    sub = grid.geometry.subslices
    x, y, z = (axis[sub // 2 :: sub] for axis in grid.xyz)
    inside = np.clip(depth[sub // 2 :: sub] / 35.0, 0.0, 1.0)
    add = acquisition.cupping_hu * inside
    band = np.exp(-(((y - 18.0) / 9.0) ** 2) - (x / 38.0) ** 4 - ((z + 4.0) / 7.0) ** 2)
    # Photon starvation between the petrous bones comes as streaks, not as an even shade.
    stripes = 1.0 + 0.5 * np.sin(y * 0.55 + 0.12 * np.abs(x))
    add += acquisition.band_hu * band * stripes * (inside > 0)
    total: Field = add.astype(np.float32)
    return total


class Scanner:
    """Turns averaged slices on the head grid into 512x512 images with noise and artefacts."""

    def __init__(self, acquisition: Acquisition, grid: HeadGrid) -> None:
        geometry = grid.geometry
        self._acquisition = acquisition
        self._geometry = geometry
        pixel = (np.arange(MATRIX) - (MATRIX - 1) / 2) * geometry.pixel_mm
        self._rows = _spread(pixel - geometry.offset_mm[1], grid.axes[1], acquisition.psf_mm)
        self._columns = _spread(pixel - geometry.offset_mm[0], grid.axes[2], acquisition.psf_mm)
        y, x = np.meshgrid(pixel, pixel, indexing="ij")
        # Rays through the centre cross the most bone, so the middle is 1.25 times as noisy.
        self._loudness = (1.25 - 0.5 * np.minimum((x**2 + y**2) / 95.0**2, 1.0)).astype(np.float32)
        self._loudness *= acquisition.noise_hu * _noise_gain()
        self._rest = _headrest(x, y - geometry.offset_mm[1]) if acquisition.headrest else None
        self._place = (x, y)
        self._metal = _metal_in_scan(acquisition, grid)

    def project(self, plane: Field) -> Field:
        """Image (512, 512) of one plane (Y, X), point spread included; air outside."""
        image = self._rows @ (plane - _AIR_HU) @ self._columns.T
        return np.asarray(image + _AIR_HU, dtype=np.float32)

    def expose(self, rng: np.random.Generator, index: int, plane: Field) -> npt.NDArray[np.int16]:
        """HU image (512, 512) int16 of slice `index`, clipped to -1024..3071."""
        scan = self._acquisition
        image = self.project(plane)
        if self._rest is not None:
            image = np.where(image < -900.0, np.maximum(image, self._rest), image)
        if scan.sharpen:
            image += scan.sharpen * (image - ndimage.gaussian_filter(image, 1.2, truncate=2.5))
        if self._metal is not None:
            image = image + self._streaks(rng, index, self._metal)
        if scan.motion is not None and scan.motion[0] <= index <= scan.motion[1]:
            image = 0.6 * image + 0.4 * np.roll(image, scan.motion[2], axis=index % 2)
        # White noise would be too easy to filter away: reconstruction leaves a band-pass.
        white = rng.standard_normal((MATRIX, MATRIX), dtype=np.float32)
        noise = ndimage.gaussian_filter(white, _FINE_PX, truncate=3.0)
        noise -= _COARSE_SHARE * ndimage.gaussian_filter(white, _COARSE_PX, truncate=3.0)
        image = image + noise * self._loudness
        stored: npt.NDArray[np.int16] = np.clip(np.rint(image), -1024, 3071).astype(np.int16)
        return stored

    def _streaks(
        self, rng: np.random.Generator, index: int, metal: tuple[float, float, float]
    ) -> Field:
        """Metal clip with bright and dark rays in the slices that it touches."""
        column, row, level = metal
        rays = rng.normal(0.0, 1.0, size=7)
        gap = abs(index - level) * self._geometry.thickness_mm
        if gap > 7.0:
            return np.zeros((MATRIX, MATRIX), dtype=np.float32)
        x, y = self._place[0] - column, self._place[1] - row
        reach, angle = np.hypot(x, y), np.arctan2(y, x)
        wave = sum(a * np.cos((2 * k + 2) * angle + 3 * a) for k, a in enumerate(rays))
        streaks = 160.0 * np.exp(-gap / 3.0) * wave * np.exp(-reach / 35.0)
        total: Field = (streaks + 3500.0 * (reach < 2.5) * (gap < 4.0)).astype(np.float32)
        return total


def _spread(
    target_mm: npt.NDArray[np.floating[Any]], source_mm: Field, sigma_mm: float
) -> sparse.csr_array:
    """Interpolation along one axis with a Gaussian point spread: rows sum to 1, 0 off the grid."""
    gap = target_mm[:, None] - source_mm[None, :].astype(np.float64)
    weight = np.where(np.abs(gap) < 2.5, np.exp(-0.5 * (gap / sigma_mm) ** 2), 0.0)
    # Extrapolating would drag scalp over the border of the grid.
    weight[(target_mm < source_mm[0]) | (target_mm > source_mm[-1])] = 0.0
    total = weight.sum(axis=1, keepdims=True)
    weight = weight / np.where(total > 0, total, 1.0)
    return sparse.csr_array(weight.astype(np.float32))


def _noise_gain() -> float:
    """1 / SD of the band-passed white noise, from the energy of its kernel."""
    spot = np.zeros((31, 31), dtype=np.float64)
    spot[15, 15] = 1.0
    kernel = ndimage.gaussian_filter(spot, _FINE_PX, truncate=3.0)
    kernel -= _COARSE_SHARE * ndimage.gaussian_filter(spot, _COARSE_PX, truncate=3.0)
    return float(1.0 / np.sqrt((kernel**2).sum()))


def _headrest(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Field:
    """Curved shell behind the head, filled with foam; -1000 elsewhere."""
    reach = np.hypot(x, y + 20.0)
    behind = (y > 15.0) & (np.abs(x) < 105.0)
    shell = np.where(behind & (np.abs(reach - 128.0) < 1.6), -30.0, _AIR_HU)
    foam = np.where(behind & (reach < 127.0), -955.0, _AIR_HU)
    rest: Field = np.maximum(shell, foam).astype(np.float32)
    return rest


def _metal_in_scan(acquisition: Acquisition, grid: HeadGrid) -> tuple[float, float, float] | None:
    """Column mm, row mm and slice index of the clip, found at the nearest grid sample."""
    if acquisition.metal_mm is None:
        return None
    x, y, z = grid.xyz
    mx, my, mz = acquisition.metal_mm
    nearest = int(np.argmin((x - mx) ** 2 + (y - my) ** 2 + (z - mz) ** 2))
    k, j, i = np.unravel_index(nearest, grid.shape)
    column = float(grid.axes[2][i]) + grid.geometry.offset_mm[0]
    row = float(grid.axes[1][j]) + grid.geometry.offset_mm[1]
    return column, row, float(k) / grid.geometry.subslices
