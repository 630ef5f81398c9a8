"""Series: one seed to one complete phantom series on disk, with its truth per slice.

patient seed ─> streams: anatomy | geometry | lesions | acquisition | noise, in this order
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_build.synthetic.acquisition import (
    Acquisition,
    Scanner,
    beam_hardening,
    draw_acquisition,
    slice_profile,
)
from model_build.synthetic.anatomy import Anatomy, build_anatomy
from model_build.synthetic.dicom_writer import SeriesHeader, write_slice
from model_build.synthetic.geometry import draw_geometry, head_grid
from model_build.synthetic.labels import ABSENT, Finding, find
from model_build.synthetic.lesions import Bled, bleed
from model_build.synthetic.masks import Mask, blood_mask, write_mask
from model_build.synthetic.plan import Mode, Planned, draw_plan
from model_build.synthetic.storage import Storage, draw_storage
from model_build.synthetic.subject import Subject, draw_subject
from service.types import LABELS

SUBTYPES = LABELS[:-1]
_ANATOMY, _GEOMETRY, _LESIONS, _ACQUISITION, _STORAGE, _NOISE = range(6)


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """What to generate.

    Attributes:
        index: Number of the series in its set; file names follow from it.
        set_seed: Seed of the set.
        patient_seed: Seed of the person: equal for a series and its twin without lesions.
        bleeding: Whether hemorrhages are drawn.
        mode: Mix of subtypes.
        slices: Short series for tests, None for a whole head.
        exam: Number of the person's exam; a later one has its own bleeds, scanner and noise.
    """

    index: int
    set_seed: int
    patient_seed: int
    bleeding: bool
    mode: Mode
    slices: int | None = None
    exam: int = 0

    @property
    def key(self) -> str:
        """Text from which the UIDs of the series are made."""
        return f"{self.set_seed}/{self.index}/{self.patient_seed}/{int(self.bleeding)}"


@dataclass(frozen=True, slots=True)
class Phantom:
    """A series before noise: all that the seed decides except the noise itself."""

    request: SeriesRequest
    anatomy: Anatomy
    bled: Bled
    plan: tuple[Planned, ...]
    acquisition: Acquisition
    storage: Storage


@dataclass(frozen=True, slots=True)
class SliceTruth:
    """Truth of one slice.

    Attributes:
        slice_id: "ID_" and nine hexadecimal digits.
        index: 0 = lowest.
        z_mm: Table position.
        findings: One per subtype, label order.
    """

    slice_id: str
    index: int
    z_mm: float
    findings: tuple[Finding, ...]

    @property
    def labels(self) -> tuple[int, ...]:
        """0 or 1 per label, `any` last."""
        found = [int(finding.positive) for finding in self.findings]
        return (*found, int(any(found)))

    @property
    def subvisible(self) -> int:
        """1 when blood lies on the slice that no label of it names."""
        return int(any(finding.subvisible for finding in self.findings))


def stream(patient_seed: int, *key: int) -> np.random.Generator:
    """An independent random stream of a person; no stream can shift another."""
    return np.random.default_rng(np.random.SeedSequence(patient_seed, spawn_key=key))


def slice_id(set_seed: int, series: int, index: int) -> str:
    """File stem of a slice. A bijection of 36 bits, so no two slices of a set share one."""
    # An odd factor permutes the numbers modulo a power of two: scattered, yet distinct.
    start = int(np.random.SeedSequence([set_seed, 36]).generate_state(1, np.uint64)[0])
    number = ((start + series * 64 + index) * 0x5DEECE66D) % (1 << 36)
    return f"ID_{number:09x}"


def build_phantom(request: SeriesRequest) -> Phantom:
    """Build head and hemorrhages. The anatomy is complete before a lesion number is drawn."""
    seed, exam = request.patient_seed, request.exam
    anatomy = _head(seed, request.slices)
    # A stream of its own: the length of the anatomy's draws can never reach a lesion.
    lesion_rng = stream(seed, _LESIONS, exam)
    plan = draw_plan(lesion_rng, request.mode) if request.bleeding else ()
    bled = bleed(lesion_rng, anatomy, plan)
    acquisition = draw_acquisition(stream(seed, _ACQUISITION, exam), anatomy.grid.geometry)
    storage = draw_storage(stream(seed, _STORAGE, exam))
    return Phantom(request, anatomy, bled, plan, acquisition, storage)


def subject_of(patient_seed: int) -> Subject:
    """The person of a seed, as in every series of it."""
    return draw_subject(stream(patient_seed, _ANATOMY))


@lru_cache(maxsize=1)  # the exams of a person follow each other; a head is most of their work
def _head(patient_seed: int, slices: int | None) -> Anatomy:
    """Head of a person, never written to by what is scanned from it."""
    rng = stream(patient_seed, _ANATOMY)
    subject = draw_subject(rng)
    geometry = draw_geometry(stream(patient_seed, _GEOMETRY), subject.vault_mm, slices)
    return build_anatomy(rng, subject, head_grid(geometry))


def scan(phantom: Phantom) -> Iterator[tuple[npt.NDArray[np.int16], Mask, SliceTruth]]:
    """Yield (HU image int16, mask uint8, both (512, 512), truth) per slice, lowest first."""
    request, grid = phantom.request, phantom.anatomy.grid
    geometry = grid.geometry
    planes = slice_profile(phantom.bled.hu, geometry)
    depth = slice_profile(phantom.anatomy.depth, geometry)
    blood = {k: slice_profile(f, geometry) for k, f in phantom.bled.blood.items()}
    shade = beam_hardening(phantom.acquisition, grid, phantom.anatomy.depth, planes)
    scanner = Scanner(phantom.acquisition, grid)
    # Truth is measured before noise and point spread, on the grid that holds the blood.
    pixel_mm2 = grid.voxel_mm[1] * grid.voxel_mm[2]
    for k in range(geometry.slices):
        here = {label: f[k] for label, f in blood.items() if f[k].any()}
        found = find(planes[k], depth[k], here, phantom.acquisition.noise_hu, pixel_mm2)
        truth = SliceTruth(
            slice_id=slice_id(request.set_seed, request.index, k),
            index=k,
            z_mm=geometry.first_mm + k * geometry.thickness_mm,
            findings=tuple(found.get(label, ABSENT) for label in range(len(SUBTYPES))),
        )
        # The twin has the same head but its own noise, as a second scan would.
        rng = stream(request.patient_seed, _NOISE, request.exam, int(request.bleeding), k)
        yield scanner.expose(rng, k, planes[k] + shade[k]), blood_mask(scanner.project, here), truth


def truth_columns() -> list[str]:
    """Header of truth.csv."""
    head = ["id", "phantom_seed", "series", "slice", "z_mm", *LABELS, "subvisible", "lesions"]
    each = [f"{name}_{what}" for name in SUBTYPES for what in ("area_mm2", "ml", "mean_hu", "cnr")]
    tail = ["shift_mm", "noise_hu", "kvp", "thickness_mm", "pixel_mm"]
    return [*head, *each, *tail, "tilt_deg", "kernel", "age"]


def truth_row(phantom: Phantom, truth: SliceTruth) -> list[str]:
    """One row of truth.csv; empty where a mean does not exist."""
    request, geometry = phantom.request, phantom.anatomy.grid.geometry
    row: list[object] = [truth.slice_id, f"{request.patient_seed:016x}", request.index]
    row += [truth.index, f"{truth.z_mm:.2f}", *truth.labels, truth.subvisible]
    row.append(int(request.bleeding))
    for finding, volume in zip(truth.findings, phantom.bled.volumes_ml, strict=True):
        mean = "" if math.isnan(finding.mean_hu) else f"{finding.mean_hu:.1f}"
        row += [f"{finding.area_mm2:.0f}", f"{volume:.3f}", mean, f"{finding.cnr:.2f}"]
    scan_ = phantom.acquisition
    row += [f"{phantom.bled.shift_mm:.1f}", f"{scan_.noise_hu:.2f}", scan_.kvp]
    row += [geometry.thickness_mm, f"{geometry.pixel_mm:.6f}", geometry.tilt_deg, scan_.kernel]
    row.append(phantom.anatomy.subject.age)
    return [str(value) for value in row]


def write_series(folder: Path, request: SeriesRequest) -> list[list[str]]:
    """Generate one series into dicom/ and masks/ of `folder`; returns its rows of truth.csv."""
    phantom = build_phantom(request)
    header = SeriesHeader(
        patient_seed=request.patient_seed,
        series_key=request.key,
        age=phantom.anatomy.subject.age,
        geometry=phantom.anatomy.grid.geometry,
        acquisition=phantom.acquisition,
        storage=phantom.storage,
    )
    rows = []
    for image, mask, truth in scan(phantom):
        write_slice(folder / "dicom" / f"{truth.slice_id}.dcm", header, truth.index, image)
        write_mask(folder / "masks" / f"{truth.slice_id}.png", mask)
        rows.append(truth_row(phantom, truth))
    return rows
