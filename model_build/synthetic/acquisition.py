"""Acquisition: from a noise-free head to the HU of each slice, as a scanner would give them.

sub-slices ─> beam hardening ─> slice profile ─> point spread to 512x512 ─> artefacts ─> noise
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from model_build.synthetic.artefacts import (
    Holder,
    beam_shade,
    bone_glare,
    draw_holder,
    holder_image,
    metal_streaks,
    starved_rays,
)
from model_build.synthetic.geometry import MATRIX, Field, HeadGrid, ScanGeometry

_AIR_HU = -1000.0
_COARSE_RATIO = 2.4  # band-pass texture of CT noise: a wider Gaussian is taken off a narrow one


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How the series was scanned.

    Attributes:
        kvp: Tube voltage, kV.
        mas: Exposure, mAs.
        noise_hu: SD of the noise in brain, HU.
        grain_px: Width of the noise grain down and across, pixels.
        grain_share: Share of the low frequencies taken off the noise.
        kernel: Name of the reconstruction kernel.
        sharpen: Strength of the edge enhancement, 0 for soft kernels.
        psf_mm: SD of the in-plane point spread.
        offset_hu: Calibration error of soft tissue.
        contrast: Scale of the soft-tissue contrast.
        cupping_hu: Loss at the head centre, HU (0 or less).
        rim_hu: Gain under the skull, HU (0 or more).
        band_hu: Dark band between the petrous bones, HU (0 or less).
        starve_hu: SD of the streaks in rows with much bone, HU.
        metal_mm: Place of a metal clip in the head frame, or None.
        motion: First and last moved slice and the shift in pixels, or None.
        holder: Head holder in view, or None.
        glare: Weights of the light around bone, by width (`artefacts.bone_glare`).
    """

    kvp: int
    mas: int
    noise_hu: float
    grain_px: tuple[float, float]
    grain_share: float
    kernel: str
    sharpen: float
    psf_mm: float
    offset_hu: float
    contrast: float
    cupping_hu: float
    rim_hu: float
    band_hu: float
    starve_hu: float
    metal_mm: tuple[float, float, float] | None
    motion: tuple[int, int, int] | None
    holder: Holder | None
    glare: tuple[float, float, float]


def draw_acquisition(rng: np.random.Generator, geometry: ScanGeometry) -> Acquisition:
    """Draw the scan parameters; noise falls with the root of thickness."""
    # All numbers are drawn before any is used: an option never shifts the draws after it.
    noise = rng.normal(3.9, 1.0) * (5.0 / geometry.thickness_mm) ** 0.5
    kernel = str(rng.choice(["SOFT", "STANDARD", "SHARP", "BONE"], p=[0.35, 0.5, 0.13, 0.02]))
    first = int(rng.integers(0, geometry.slices))
    moved = (first, first + int(rng.integers(1, 6)), int(rng.choice([-1, 1]) * rng.integers(2, 7)))
    clip = (float(rng.normal(0, 25)), float(rng.normal(-5, 35)), float(rng.uniform(0, 60)))
    lucks = rng.random(3)
    grain = float(rng.uniform(0.7, 1.2))
    loud = {"SOFT": 0.85, "STANDARD": 1.0, "SHARP": 1.25, "BONE": 1.7}[kernel]
    return Acquisition(
        kvp=int(rng.choice([120, 100, 130, 140], p=[0.8, 0.06, 0.08, 0.06])),
        mas=int(rng.integers(180, 420)),
        noise_hu=float(np.clip(noise * loud, 2.0, 8.0)),
        grain_px=(grain * float(rng.uniform(0.9, 1.25)), grain),
        grain_share=float(rng.uniform(0.25, 0.6)),
        kernel=kernel,
        sharpen={"SOFT": 0.0, "STANDARD": 0.15, "SHARP": 0.5, "BONE": 1.5}[kernel],
        psf_mm=float(rng.uniform(0.42, 0.85)),
        offset_hu=float(np.clip(rng.normal(0.0, 1.3), -3.0, 3.0)),
        contrast=float(rng.uniform(0.92, 1.08)),
        cupping_hu=float(rng.uniform(-5.0, 0.5)),
        rim_hu=float(rng.uniform(2.0, 10.0)) if lucks[2] < 0.5 else 0.0,
        band_hu=float(rng.uniform(-25.0, -4.0)),
        starve_hu=float(rng.uniform(2.0, 10.0)),
        metal_mm=clip if lucks[0] < 0.03 else None,
        motion=moved if lucks[1] < 0.06 else None,
        holder=draw_holder(rng),
        glare=_draw_glare(rng),
    )


def _draw_glare(rng: np.random.Generator) -> tuple[float, float, float]:
    """Scanners differ: none of it in one of ten, else up to 1.8 times what was measured."""
    strength = max(0.0, float(rng.uniform(-0.2, 1.8)))
    near, middle, far = (float(each) for each in np.exp(rng.normal(0.0, 0.3, size=3)))
    return 0.04 * strength * near, 0.03 * strength * middle, 0.01 * strength * far


def slice_profile(field: Field, geometry: ScanGeometry) -> Field:
    """Average sub-slices (Z*sub, Y, X) to slices (Z, Y, X): partial volume along the table."""
    shape = (geometry.slices, geometry.subslices, *field.shape[1:])
    mean: Field = field.reshape(shape).mean(axis=1, dtype=np.float32)
    return mean


def beam_hardening(acquisition: Acquisition, grid: HeadGrid, depth: Field, planes: Field) -> Field:
    """HU to add per slice for what hardening and glare leave behind, (Z, Y, X) float32.

    Args:
        acquisition: of the series.
        grid: sub-slice grid of the series.
        depth: (Z*sub, Y, X) mm below the inner table.
        planes: (Z, Y, X) HU of the averaged slices.
    """
    scan, geometry = acquisition, grid.geometry
    shade = beam_shade(scan.cupping_hu, scan.rim_hu, scan.band_hu, grid, depth)
    return shade + bone_glare(scan.glare, planes, (geometry.thickness_mm, *grid.voxel_mm[1:]))


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
        self._loudness *= acquisition.noise_hu / _noise_sd(acquisition)
        holder = acquisition.holder
        self._rest = None if holder is None else holder_image(holder, x, y - geometry.offset_mm[1])
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
        image += (scan.contrast - 1.0) * np.clip(image - 20.0, -40.0, 60.0)
        image += scan.offset_hu * np.clip(0.01 * image + 1.0, 0.0, 1.0)
        if self._rest is not None:
            image = np.where(image < -900.0, np.maximum(image, self._rest), image)
        if scan.sharpen:
            image += scan.sharpen * (image - ndimage.gaussian_filter(image, 1.2, truncate=2.5))
        image += starved_rays(rng, image, self._geometry.pixel_mm, scan.starve_hu)
        if self._metal is not None:
            column, row, level = self._metal
            gap = abs(index - level) * self._geometry.thickness_mm
            image += metal_streaks(rng, self._place[0] - column, self._place[1] - row, gap)
        if scan.motion is not None and scan.motion[0] <= index <= scan.motion[1]:
            image = 0.6 * image + 0.4 * np.roll(image, scan.motion[2], axis=index % 2)
        # White noise would be too easy to filter away: reconstruction leaves a band-pass.
        noise = _band_pass(rng.standard_normal((MATRIX, MATRIX), dtype=np.float32), scan)
        image += noise * self._loudness
        stored: npt.NDArray[np.int16] = np.clip(np.rint(image), -1024, 3071).astype(np.int16)
        return stored


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


def _band_pass(white: npt.NDArray[Any], scan: Acquisition) -> npt.NDArray[Any]:
    fine: npt.NDArray[Any] = ndimage.gaussian_filter(white, scan.grain_px, truncate=3.0)
    wide = [_COARSE_RATIO * grain for grain in scan.grain_px]
    fine -= scan.grain_share * ndimage.gaussian_filter(white, wide, truncate=2.5)
    return fine


def _noise_sd(scan: Acquisition) -> float:
    """SD of band-passed white noise, from the energy of its kernel."""
    spot = np.zeros((41, 41), dtype=np.float64)
    spot[20, 20] = 1.0
    return float(np.sqrt((_band_pass(spot, scan) ** 2).sum()))


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
