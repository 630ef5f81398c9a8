"""DICOM writer: one CT Image Storage file per slice, valid by PS3.3 A.3, marked as synthetic."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from model_build.synthetic.acquisition import Acquisition
from model_build.synthetic.geometry import MATRIX, ScanGeometry

# Vendors write leading zeros, several windows, none, or a display preset that shows nothing.
_WINDOWS: tuple[tuple[list[str], list[str]], ...] = (
    (["40"], ["80"]),
    (["35"], ["100"]),
    (["30"], ["80"]),
    (["00036"], ["00080"]),
    (["40", "40"], ["80", "80"]),
    (["40", "80"], ["80", "200"]),
    (["40", "600"], ["150", "2800"]),
    ([], []),
    (["1000"], ["1"]),
)
_WINDOW_SHARES = (0.36, 0.14, 0.14, 0.08, 0.08, 0.07, 0.06, 0.05, 0.02)


@dataclass(frozen=True, slots=True)
class Storage:
    """How the pixels of a series are stored.

    Attributes:
        signed: PixelRepresentation 1 with 16 bits, else 0 with 12 bits.
        intercept: Rescale intercept; the slope is always 1.
        circle: Pixels outside the reconstruction circle are padding.
        centers: Window Center values, empty when the element is absent.
        widths: Window Width values.
    """

    signed: bool
    intercept: int
    circle: bool
    centers: tuple[str, ...]
    widths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    """What all files of a series share."""

    patient_seed: int
    series_key: str
    age: int
    geometry: ScanGeometry
    acquisition: Acquisition
    storage: Storage


def draw_storage(rng: np.random.Generator) -> Storage:
    """Draw pixel storage and display windows, odd ones included."""
    form = int(rng.choice(3, p=[0.35, 0.3, 0.35]))
    centers, widths = _WINDOWS[int(rng.choice(len(_WINDOWS), p=_WINDOW_SHARES))]
    return Storage(
        signed=form != 2,
        intercept=(0, -1024, -1024)[form],
        circle=bool(rng.random() < 0.4),
        centers=tuple(centers),
        widths=tuple(widths),
    )


def make_uid(key: str) -> str:
    """A UID under 2.25 (PS3.5 B.2), the same for the same key: the integer is a UUID's."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
    # Version and variant bits of a name-based UUID (RFC 9562 section 5.8).
    number &= ~(0xF << 76) & ~(0x3 << 62)
    number |= (0x8 << 76) | (0x2 << 62)
    return f"2.25.{number}"


def build_dataset(header: SeriesHeader, index: int, image_hu: npt.NDArray[np.int16]) -> Dataset:
    """Dataset of slice `index` (0 = lowest) with `image_hu`, (512, 512) HU."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    _add_identity(dataset, header, index)
    _add_acquisition(dataset, header)
    _add_plane(dataset, header.geometry, index)
    _add_pixels(dataset, header, image_hu)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def write_slice(
    path: Path, header: SeriesHeader, index: int, image_hu: npt.NDArray[np.int16]
) -> None:
    """Write one slice as a DICOM file."""
    build_dataset(header, index, image_hu).save_as(path, enforce_file_format=True)


def _add_identity(dataset: Dataset, header: SeriesHeader, index: int) -> None:
    patient = f"{header.patient_seed:016x}"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = make_uid(f"{header.series_key}/{index}")
    dataset.StudyInstanceUID = make_uid(f"{header.series_key}/study")
    dataset.SeriesInstanceUID = make_uid(f"{header.series_key}/series")
    dataset.FrameOfReferenceUID = make_uid(f"{header.series_key}/frame")
    dataset.PositionReferenceIndicator = ""
    dataset.StudyDate = dataset.StudyTime = dataset.AccessionNumber = ""
    dataset.Modality = "CT"
    dataset.Manufacturer = "ICH Serve phantom"
    dataset.ReferringPhysicianName = dataset.StudyID = ""
    dataset.SeriesDescription = "HEAD PLAIN"
    dataset.PatientName = "SYNTHETIC^PHANTOM"
    dataset.PatientID = f"PHANTOM-{patient}"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.PatientAge = f"{header.age:03d}Y"
    dataset.BodyPartExamined = "HEAD"
    dataset.ImageComments = "Synthetic phantom, not a patient"
    dataset.SeriesNumber = 2
    dataset.InstanceNumber = index + 1
    dataset.BurnedInAnnotation = "NO"


def _add_acquisition(dataset: Dataset, header: SeriesHeader) -> None:
    scan, geometry = header.acquisition, header.geometry
    dataset.AcquisitionNumber = 1
    dataset.KVP = scan.kvp
    dataset.Exposure = scan.mas
    dataset.ConvolutionKernel = scan.kernel
    dataset.SliceThickness = geometry.thickness_mm
    dataset.SpacingBetweenSlices = geometry.thickness_mm
    dataset.GantryDetectorTilt = geometry.tilt_deg
    dataset.ReconstructionDiameter = geometry.fov_mm
    dataset.PatientPosition = "HFS"


def _add_plane(dataset: Dataset, geometry: ScanGeometry, index: int) -> None:
    position = geometry.position(index)
    dataset.ImagePositionPatient = [f"{value:.4f}" for value in position]
    dataset.ImageOrientationPatient = [f"{value:.6f}" for value in geometry.orientation()]
    dataset.SliceLocation = f"{geometry.first_mm + index * geometry.thickness_mm:.3f}"
    dataset.PixelSpacing = [f"{geometry.pixel_mm:.6f}"] * 2


def _add_pixels(dataset: Dataset, header: SeriesHeader, image_hu: npt.NDArray[np.int16]) -> None:
    storage = header.storage
    # In int32, because 3071 + 1024 is near the limits that the two storages differ in.
    stored = image_hu.astype(np.int32) - storage.intercept
    if storage.circle:
        axis = np.arange(MATRIX) - (MATRIX - 1) / 2
        outside = axis[:, None] ** 2 + axis[None, :] ** 2 > (MATRIX / 2) ** 2
        stored[outside] = -1024 - storage.intercept
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows = dataset.Columns = MATRIX
    dataset.BitsAllocated = 16
    # -1024..3071 fills twelve unsigned bits exactly.
    dataset.BitsStored = 16 if storage.signed else 12
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(storage.signed)
    dataset.RescaleIntercept = storage.intercept
    dataset.RescaleSlope = 1
    dataset.RescaleType = "HU"
    if storage.centers:
        dataset.WindowCenter = list(storage.centers)
        dataset.WindowWidth = list(storage.widths)
    kind = "<i2" if storage.signed else "<u2"
    dataset.PixelData = stored.astype(kind).tobytes()
