"""Geometry: where the pixels of a phantom series lie, in the scanner and in the head.

Head frame, millimetres: +x to the patient's left, +y to the back, +z up; z = 0 is the plane of
the skull base. A series is sampled on sub-slices at about 1 mm in plane; because every map is
affine, the anatomy is evaluated right on the (tilted, turned) scan planes and never resampled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]

MATRIX = 512
SUBSLICE_MM = 1.25  # the thickest sub-slice that still averages a sloping vault smoothly
_HALF_WIDTH_MM, _FRONT_MM, _BACK_MM = 90.0, 116.0, 108.0
# Slice thickness in mm and its share; 5 mm is the routine, thin and thick ones are rarer.
_THICKNESS = {
    5.0: 0.56,
    4.8: 0.08,
    4.5: 0.08,
    4.0: 0.1,
    2.5: 0.07,
    1.25: 0.03,
    0.6: 0.02,
    7.0: 0.06,
}
_FEWEST, _MOST = 20, 40
_SEMI_MM, _WIDEST_MM = (74.0, 91.0), 18.0  # semi-axes of a mean head, height of its widest section


@dataclass(frozen=True, slots=True)
class ScanGeometry:
    """The scan planes of one series and the pose of the head in them.

    Attributes:
        slices: Number of slices.
        thickness_mm: Slice thickness, equal to the spacing along the table.
        fov_mm: Side of the reconstructed square.
        tilt_deg: Gantry tilt about the left-right axis.
        pitch_deg: Nod of the head, which usually undoes most of the tilt.
        turn_deg: Rotation of the head seen in the slice.
        lean_deg: Rotation about the back-front axis: left and right at different levels.
        offset_mm: Head centre relative to the field of view (x, y).
        first_mm: Table position of the lowest slice.
    """

    slices: int
    thickness_mm: float
    fov_mm: float
    tilt_deg: float
    pitch_deg: float
    turn_deg: float
    lean_deg: float
    offset_mm: tuple[float, float]
    first_mm: float

    @property
    def pixel_mm(self) -> float:
        """Pixel spacing in mm."""
        return self.fov_mm / MATRIX

    @property
    def subslices(self) -> int:
        """Sub-slices averaged into one slice."""
        return max(1, round(self.thickness_mm / SUBSLICE_MM))

    def orientation(self) -> tuple[float, ...]:
        """Direction cosines of rows and columns (DICOM PS3.3 C.7.6.2.1.1)."""
        tilt = math.radians(self.tilt_deg)
        return (1.0, 0.0, 0.0, 0.0, math.cos(tilt), math.sin(tilt))

    def position(self, index: int) -> tuple[float, float, float]:
        """Centre of the first pixel of slice `index`, in mm (DICOM PS3.3 C.7.6.2.1.1)."""
        corner = -(MATRIX - 1) / 2 * self.pixel_mm
        tilt = math.radians(self.tilt_deg)
        table = self.first_mm + index * self.thickness_mm
        return (corner, corner * math.cos(tilt), table + corner * math.sin(tilt))


def draw_geometry(
    rng: np.random.Generator, vault_mm: float, slices: int | None = None
) -> ScanGeometry:
    """Draw the scan planes for a head whose vault lies `vault_mm` above the skull base."""
    thickness = float(rng.choice(list(_THICKNESS), p=list(_THICKNESS.values())))
    cover_mm = rng.uniform(124.0, 158.0)
    count = int(np.clip(round(cover_mm / thickness), _FEWEST, _MOST))
    tilt = float(rng.uniform(0.0, 25.0)) if rng.random() < 0.5 else 0.0
    # Technologists tilt the gantry to the skull base: the head shows less tilt than the tag.
    plane_deg = float(np.clip(rng.normal(0.0, 5.0), -12.0, 12.0))
    below_mm, lower = rng.uniform(0.5, 9.0), rng.random()
    fov = float(rng.choice([200.0, 210.0, 220.0, 230.0, 240.0, 250.0, 260.0]))
    play = min(15.0, max(3.0, 0.5 * fov - 100.0))  # the vault stays in the field of view
    pose = ScanGeometry(
        slices=count,
        thickness_mm=thickness,
        fov_mm=fov,
        tilt_deg=round(tilt, 1),
        pitch_deg=round(tilt, 1) + plane_deg,
        turn_deg=float(np.clip(rng.normal(0.0, 4.0), -8.0, 8.0)),
        lean_deg=float(np.clip(rng.normal(0.0, 3.0), -6.0, 6.0)),
        offset_mm=(play * float(rng.uniform(-1.0, 1.0)), play * float(rng.uniform(-1.0, 1.0))),
        first_mm=0.0,
    )
    # The highest slice still cuts the vault: a slice of pure air is no head CT.
    top_mm = _vertex(pose, vault_mm) - below_mm
    if slices is not None:  # short series for tests: through the middle of the head
        count, top_mm = slices, 62.0 + slices * thickness / 2
    # Thin slices do not cover a head: they lie anywhere between orbits and vertex.
    top_mm -= lower * max(0.0, 118.0 - count * thickness)
    return replace(pose, slices=count, first_mm=round(float(top_mm - (count - 1) * thickness), 2))


def _vertex(geometry: ScanGeometry, vault_mm: float) -> float:
    """Table position in mm at which the tilted scan plane touches the top of the vault."""
    matrix = _scan_to_head(geometry)
    normal = np.cross(matrix[:, 2], matrix[:, 1])
    normal *= np.sign(normal[2])
    # Support of an ellipsoid; the vault is a little fuller, so this errs towards the head.
    axes = np.array([_SEMI_MM[0], _SEMI_MM[1], vault_mm - _WIDEST_MM])
    reach = _WIDEST_MM * normal[2] + float(np.sqrt(((axes * normal) ** 2).sum()))
    return float(reach / (normal @ matrix[:, 0]))


class HeadGrid:
    """Sample points of a series: axes (z, y, x) of the scan, coordinates in the head frame."""

    def __init__(self, geometry: ScanGeometry, w_mm: Field, v_mm: Field, u_mm: Field) -> None:
        self.geometry = geometry
        self.axes = (w_mm, v_mm, u_mm)
        self._matrix = _scan_to_head(geometry)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of samples along (z, y, x)."""
        w, v, u = self.axes
        return (len(w), len(v), len(u))

    @property
    def voxel_mm(self) -> tuple[float, float, float]:
        """Distance of the samples along (z, y, x)."""
        w, v, u = (float(a[1] - a[0]) if len(a) > 1 else 1.0 for a in self.axes)
        return (w, v, u)

    @property
    def voxel_ml(self) -> float:
        """Volume of one sample; the shear of a tilted scan keeps z spacing along the table."""
        w, v, u = self.voxel_mm
        return w * v * u * math.cos(math.radians(self.geometry.tilt_deg)) / 1000.0

    @cached_property
    def xyz(self) -> tuple[Field, Field, Field]:
        """Head coordinates x, y, z in mm, float32, each of the grid's shape."""
        w, v, u = self.axes
        head = []
        for row in self._matrix:
            plane = (row[1] * v[:, None] + row[2] * u[None, :]).astype(np.float32)
            head.append((row[0] * w).astype(np.float32)[:, None, None] + plane[None])
        return (head[0], head[1], head[2])

    def coarse(self, step_mm: float) -> HeadGrid:
        """The same region with samples about `step_mm` apart, end points included."""
        axes = []
        for axis in self.axes:
            steps = math.ceil(float(axis[-1] - axis[0]) / step_mm)
            count = max(min(2, len(axis)), 1 + steps)
            axes.append(np.linspace(axis[0], axis[-1], count, dtype=np.float32))
        return HeadGrid(self.geometry, axes[0], axes[1], axes[2])

    def box(self, low: tuple[float, ...], high: tuple[float, ...]) -> Box:
        """Index slices that cover the head-frame box from `low` to `high` (x, y, z in mm)."""
        corners = np.array(
            [[(low, high)[i >> k & 1][k] for k in range(3)] for i in range(8)], dtype=np.float64
        )
        scan = corners @ np.linalg.inv(self._matrix).T
        # An affine image of a box lies within the span of its corners.
        spans = []
        for k, axis in enumerate(self.axes):
            first = int(np.searchsorted(axis, scan[:, k].min(), side="left"))
            last = int(np.searchsorted(axis, scan[:, k].max(), side="right"))
            spans.append(slice(min(first, len(axis)), last))
        return (spans[0], spans[1], spans[2])

    def crop(self, box: Box) -> HeadGrid:
        """The samples of a box of indices as a grid of their own."""
        w, v, u = (axis[part] for axis, part in zip(self.axes, box, strict=True))
        return HeadGrid(self.geometry, w, v, u)

    def mirrored_boxes(self, low: tuple[float, ...], high: tuple[float, ...]) -> list[Box]:
        """Boxes that hold `low` to `high` and its mirror image at x = 0, `low` x first."""
        if low[0] <= 0.0:
            return [self.box((-high[0], low[1], low[2]), high)]
        other = (-low[0], high[1], high[2])
        return [self.box(low, high), self.box((-high[0], low[1], low[2]), other)]

    def part(self, box: Box) -> tuple[Field, Field, Field]:
        """Head coordinates inside a box of indices."""
        x, y, z = self.xyz
        return x[box], y[box], z[box]


def head_grid(geometry: ScanGeometry) -> HeadGrid:
    """The sub-slice grid of a series, centred on the head: about 1 mm x 1 mm x 1.25 mm."""
    sub = geometry.subslices
    step = geometry.thickness_mm / sub
    # Sub-slices lie symmetrically about the slice position, as the slice profile does.
    centre = (np.arange(geometry.slices * sub) - (sub - 1) / 2) * step
    w = (geometry.first_mm + centre).astype(np.float32)
    v = np.arange(-_FRONT_MM, _BACK_MM + 0.5, dtype=np.float32)
    u = np.arange(-_HALF_WIDTH_MM, _HALF_WIDTH_MM + 0.5, dtype=np.float32)
    return HeadGrid(geometry, w, v, u)


def _scan_to_head(geometry: ScanGeometry) -> npt.NDArray[np.float64]:
    """3x3 matrix from scan axes (table z, column v, row u) to head x, y, z.

    The table moves along z while the plane is tilted: a shear, not a rotation.
    """
    tilt = math.radians(geometry.tilt_deg)
    scan = np.array([[0.0, 0.0, 1.0], [0.0, math.cos(tilt), 0.0], [1.0, math.sin(tilt), 0.0]])
    turn, lean, pitch = np.radians((geometry.turn_deg, geometry.lean_deg, geometry.pitch_deg))
    c, s = math.cos(turn), math.sin(turn)
    about_z = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    c, s = math.cos(lean), math.sin(lean)
    about_y = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    c, s = math.cos(pitch), math.sin(pitch)
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]])
    matrix: npt.NDArray[np.float64] = about_x @ about_y @ about_z @ scan
    return matrix
