"""Factories: one valid synthetic CT slice whose every field a test can change, drop or break.

head_hu (disc of skull and brain) -> stored values -> Dataset -> bytes of a Part 10 file
"""

from __future__ import annotations

import io
import re
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite, write_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import (
    RE_VALID_UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from load_tests import transcode

IMPLICIT = str(ImplicitVRLittleEndian)
EXPLICIT = str(ExplicitVRLittleEndian)
DEFLATED = str(DeflatedExplicitVRLittleEndian)
BIG_ENDIAN = str(ExplicitVRBigEndian)
RLE = str(RLELossless)
SYNTAXES = (IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN, RLE)  # those that pydicom alone can write
LOSSLESS = (*SYNTAXES, *transcode.LOSSLESS)
LOSSY = tuple(transcode.LOSSY)

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
UID_ROOT = "2.25.4711"
STUDY_UID = f"{UID_ROOT}.1"
SERIES_UID = f"{UID_ROOT}.1.1"
INTERCEPT = -1024

DROP = object()  # pass as the value of a keyword to leave that element out


@lru_cache(maxsize=64)
def head_hu(size: int = 512, seed: int = 0) -> npt.NDArray[np.int16]:
    """A head-like disc in HU, int16 (size, size), read-only: air, scalp, skull and noisy brain."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:size, 0:size]
    radius = np.hypot(rows - (size - 1) / 2, columns - (size - 1) / 2) / size
    brain = 32 + rng.normal(0.0, 4.0, (size, size))
    layers = [radius < 0.34, radius < 0.37, radius < 0.39]
    hu = np.select(layers, [brain, 1100, 30], -1000).round().astype(np.int16)
    hu.setflags(write=False)
    return hu


def sop_uid(seed: int = 0) -> str:
    """The SOP Instance UID of the slice that `make_ct_slice(seed=seed)` makes."""
    return f"{SERIES_UID}.{seed + 1}"


def _fields(seed: int) -> dict[str, Any]:
    """Every element of the valid slice but the pixels, by keyword."""
    return {
        "SpecificCharacterSet": "ISO_IR 100",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SOPClassUID": CT_IMAGE_STORAGE,
        "SOPInstanceUID": sop_uid(seed),
        "Modality": "CT",
        "Manufacturer": "ICH Serve test",
        "StudyDescription": "SYNTHETIC",
        "PatientName": "SYNTHETIC^TEST",
        "PatientID": "SYNTHETIC",
        "PatientAge": "054Y",
        "BodyPartExamined": "HEAD",
        "SliceThickness": "5",
        "KVP": "120",
        "ConvolutionKernel": "H31s",
        "StudyInstanceUID": STUDY_UID,
        "SeriesInstanceUID": SERIES_UID,
        "InstanceNumber": seed + 1,
        "ImagePositionPatient": [-125, -125, 5 * seed],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelSpacing": [0.488, 0.488],
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "WindowCenter": "35",
        "WindowWidth": "90",
        "RescaleIntercept": str(INTERCEPT),
        "RescaleSlope": "1",
        "RescaleType": "HU",
    }


def _put(ds: Dataset, keyword: str, value: Any) -> None:
    """Set one element without validation; bytes for a text element are written as they are."""
    number = tag_for_keyword(keyword)
    if number is None:
        raise ValueError(f"no DICOM keyword: {keyword}")
    tag = Tag(number)
    vr = dictionary_VR(tag).split(" or ")[-1]
    if vr == "UI" and not (re.fullmatch(RE_VALID_UID, value) and len(value) <= 64):
        value = value.encode()
    if isinstance(value, bytes) and vr not in ("OW", "OB", "UN"):
        padded = value + b" " * (len(value) % 2)
        ds[tag] = RawDataElement(tag, vr, len(padded), padded, 0, False, True)
        return
    if vr == "SS" and (ds.get("PixelRepresentation") == 0):
        vr = "US"
    ds[tag] = DataElement(tag, vr, value, validation_mode=config.IGNORE)


def _file_meta(sop_class: str, seed: int, transfer_syntax: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = sop_uid(seed)
    meta.TransferSyntaxUID = transfer_syntax
    meta.ImplementationClassUID = f"{UID_ROOT}.9"
    return meta


def make_dataset(
    *,
    pixels: npt.NDArray[Any] | None = None,
    seed: int = 0,
    **fields: Any,
) -> Dataset:
    """The slice of `make_ct_slice` as a Dataset in little endian, before it is written."""
    stored = head_hu(512, seed).astype(np.int32) - INTERCEPT if pixels is None else pixels
    values = _fields(seed) | {"Rows": stored.shape[0], "Columns": stored.shape[-1]}
    values |= {"PixelData": stored.astype(stored.dtype.newbyteorder("<")).tobytes()}
    if stored.dtype.itemsize > 2:
        values["PixelData"] = (stored & 0xFFFF).astype("<u2").tobytes()
    ds = Dataset()
    for keyword, value in (values | fields).items():
        if value is not DROP:
            _put(ds, keyword, value)
    return ds


def make_ct_slice(
    *,
    pixels: npt.NDArray[Any] | None = None,
    transfer_syntax: str = EXPLICIT,
    seed: int = 0,
    preamble: bool = True,
    **fields: Any,
) -> bytes:
    """Bytes of a valid 512x512 head-like CT slice, deterministic, with one thing changed.

    Args:
        pixels: stored values (rows, columns); default: `head_hu(512, seed)` + 1024, 12 bit.
        transfer_syntax: UID; compressed ones are compressed for real, unknown ones only declared.
            JPEG Baseline has 8 bits, so the slice is stored in steps of 16 HU there.
        seed: other noise, SOP Instance UID, position and instance number.
        preamble: False leaves out the 128 bytes, `DICM` and the file meta group.
        fields: DICOM keyword = value, `DROP`, or bytes written raw (for broken values).
    """
    # pydicom warns of the very values that a test wants to write.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = make_dataset(pixels=pixels, seed=seed, **fields)
        sop_class = fields.get("SOPClassUID", DROP)
        meta = _file_meta(
            CT_IMAGE_STORAGE if sop_class is DROP else sop_class, seed, transfer_syntax
        )
        return _write(ds, meta, preamble=preamble)


def _compress(ds: Dataset, transfer_syntax: str) -> None:
    """Compress the pixels, unless a test has broken what describes them."""
    size = ds.get("Rows", 0) * ds.get("Columns", 0) * 2
    if size == len(ds.PixelData) and "PixelRepresentation" in ds and "BitsStored" in ds:
        transcode.compress(ds, transfer_syntax)


def _write(ds: Dataset, meta: FileMetaDataset, *, preamble: bool) -> bytes:
    """Encode a little endian data set as its file meta group says."""
    transfer_syntax = str(meta.TransferSyntaxUID)
    if transfer_syntax == RLE:
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(RLELossless, generate_instance_uid=False)
    elif transfer_syntax in transcode.ENCODERS and "PixelData" in ds:
        _compress(ds, transfer_syntax)
    elif transfer_syntax == BIG_ENDIAN and "PixelData" in ds:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    ds.file_meta = meta
    buffer = io.BytesIO()
    if transfer_syntax in (*LOSSLESS, *LOSSY) and preamble:
        dcmwrite(buffer, ds, enforce_file_format=True)
        return buffer.getvalue()
    del ds.file_meta
    if preamble:
        buffer.write(bytes(128) + b"DICM")
        write_file_meta_info(buffer, meta)
    body = io.BytesIO()
    implicit = transfer_syntax == IMPLICIT
    dcmwrite(body, ds, implicit_vr=implicit, little_endian=transfer_syntax != BIG_ENDIAN)
    return buffer.getvalue() + body.getvalue()
