"""DICOM writer: one CT Image Storage file per slice, valid by PS3.3 A.3, marked as synthetic."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    RLELossless,
)

from model_build.synthetic.acquisition import Acquisition
from model_build.synthetic.geometry import MATRIX, ScanGeometry
from model_build.synthetic.storage import RAW_PADDING, Storage

# Half the size of native storage at a fifth of the time of level 6, which gains four percent more.
_DEFLATE_LEVEL = 1


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    """What all files of a series share."""

    patient_seed: int
    series_key: str
    age: int
    geometry: ScanGeometry
    acquisition: Acquisition
    storage: Storage


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
    dataset.file_meta.TransferSyntaxUID = UID(header.storage.syntax)
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
    """Write one slice as a DICOM file in the transfer syntax of its series."""
    dataset = build_dataset(header, index, image_hu)
    if header.storage.syntax == RLELossless:
        compress_rle(dataset)
    path.write_bytes(to_bytes(dataset))


def compress_rle(dataset: Dataset) -> None:
    """Compress native little endian pixel data in place (PS3.5 annex G)."""
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian  # what it is until then
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)


def to_bytes(dataset: Dataset) -> bytes:
    """The DICOM file (PS3.10 section 7) of a dataset, in the syntax of its file meta group.

    Native pixel data is in the byte order of the syntax, RLE pixel data is compressed already.
    """
    meta = dataset.file_meta
    syntax = meta.TransferSyntaxUID
    body = _buffer(syntax.is_implicit_VR, syntax.is_little_endian)
    write_dataset(body, dataset)
    content = body.getvalue()
    if syntax == DeflatedExplicitVRLittleEndian:  # PS3.5 A.5: padded to an even length
        deflater = zlib.compressobj(_DEFLATE_LEVEL, wbits=-zlib.MAX_WBITS)
        content = deflater.compress(content) + deflater.flush()
        content += b"\0" * (len(content) % 2)
    head = _buffer(implicit=False, little=True)
    head.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(head, meta, enforce_standard=True)
    return bytes(head.getvalue() + content)


def _buffer(implicit: bool, little: bool) -> DicomBytesIO:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, little
    return buffer


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
    if header.storage.agent is not None:
        dataset.ContrastBolusAgent = header.storage.agent
    dataset.PatientPosition = "HFS"


def _add_plane(dataset: Dataset, geometry: ScanGeometry, index: int) -> None:
    position = geometry.position(index)
    dataset.ImagePositionPatient = [f"{value:.4f}" for value in position]
    dataset.ImageOrientationPatient = [f"{value:.6f}" for value in geometry.orientation()]
    dataset.SliceLocation = f"{geometry.first_mm + index * geometry.thickness_mm:.3f}"
    dataset.PixelSpacing = [f"{geometry.pixel_mm:.6f}"] * 2


def _add_pixels(dataset: Dataset, header: SeriesHeader, image_hu: npt.NDArray[np.int16]) -> None:
    storage, form = header.storage, header.storage.form
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if storage.monochrome1 else "MONOCHROME2"
    dataset.Rows = dataset.Columns = MATRIX
    dataset.BitsAllocated = 16
    dataset.BitsStored = form.bits
    dataset.HighBit = form.bits - 1
    dataset.PixelRepresentation = int(form.signed)
    if storage.padding == "raw":
        dataset.add_new("PixelPaddingValue", "SS", RAW_PADDING)
    dataset.RescaleIntercept = form.intercept
    dataset.RescaleSlope = 1
    dataset.RescaleType = "HU"
    if storage.centers:
        dataset.WindowCenter = list(storage.centers)
        dataset.WindowWidth = list(storage.widths)
    # Words, also where the syntax is implicit (PS3.5 A.1).
    dataset.add_new("PixelData", "OW", storage.stored_values(image_hu).tobytes())
