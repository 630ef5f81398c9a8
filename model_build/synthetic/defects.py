"""Defects: valid phantom slices with one thing wrong, each with the gate code it has to hit.

valid file ─> read ─> one field changed ─> written again = a fixture per row of the input gate

Never part of a training set. `decoder_failed` and `decode_timeout` are no property of a file.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID

from model_build.synthetic import storage
from model_build.synthetic.dicom_edit import Change, edited, put, set_stored, stored
from model_build.synthetic.dicom_writer import compress_rle, to_bytes
from model_build.synthetic.multi_frame import ENHANCED_CT, enhanced

_MIB = 1024 * 1024
_PRIVATE = (0x0009, 0x0010)
_JPIP = "1.2.840.10008.1.2.4.94"  # pixels behind a URL, which nobody follows
_ROWS, _SLOPE = b"\x28\x00\x10\x00", b"\x28\x00\x53\x10"  # tags in little endian
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True, slots=True)
class Defect:
    """One way in which an object can be wrong or unusual.

    Attributes:
        name: What is changed; a file name.
        code: The one code of `service.dicom.gate.CODES` that it must be reported by.
        make: Bytes of a valid slice (unsigned 12 bits, intercept -1024, explicit little endian)
            to the bytes of the defective one.
    """

    name: str
    code: str
    make: Callable[[bytes], bytes]


def _fields(name: str, code: str, **values: object) -> Defect:
    """A defect of header elements; None leaves one out."""

    def change(dataset: Dataset) -> None:
        for keyword, value in values.items():
            put(dataset, keyword, value)

    return Defect(name, code, lambda body: edited(body, change))


def _dataset(name: str, code: str, change: Change) -> Defect:
    return Defect(name, code, lambda body: edited(body, change))


def _crop(rows: int, columns: int) -> Change:
    return lambda dataset: set_stored(dataset, stored(dataset)[:rows, :columns])


def _half_matrix(dataset: Dataset) -> None:
    set_stored(dataset, stored(dataset)[::2, ::2])


def _two_frames(dataset: Dataset) -> None:
    put(dataset, "NumberOfFrames", "2")
    dataset["PixelData"].value = dataset.PixelData * 2


def _length(change: int) -> Change:
    """Pixel data shorter or longer than rows and columns say, in a file that is whole."""

    def apply(dataset: Dataset) -> None:
        data = dataset.PixelData
        dataset["PixelData"].value = data[:change] if change < 0 else data + bytes(change)

    return apply


def _overlay_bits(dataset: Dataset) -> None:
    values = stored(dataset)
    values[100:120, 100:400] |= 0x8000
    set_stored(dataset, values)


def _wrapped(dataset: Dataset) -> None:
    set_stored(dataset, (stored(dataset).astype(np.int32) - 1024).clip(-1000) % 4096)
    dataset.RescaleIntercept = "0"


def _raw_padding(dataset: Dataset) -> None:
    """GE: -2000 outside the reconstruction circle of signed data, named by no element."""
    values = stored(dataset)
    values[storage.outside_circle()] = storage.RAW_PADDING & 0xFFFF
    set_stored(dataset, values)
    dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 1, 16, 15


def _broken_run(dataset: Dataset) -> None:
    """An RLE stream whose header points outside of it."""
    compress_rle(dataset)
    data = bytearray(dataset.PixelData)
    start = data.index((2).to_bytes(4, "little"))  # the number of segments opens the RLE header
    data[start + 8 : start + 12] = b"\xff" * 4
    dataset["PixelData"].value = bytes(data)


def _inflates(dataset: Dataset) -> None:
    dataset.add_new(0xFFFCFFFC, "OB", bytes(5 * _MIB))
    dataset.file_meta.TransferSyntaxUID = UID(storage.DEFLATED)


def _long_header(dataset: Dataset) -> None:
    dataset.add_new(_PRIVATE, "LO", "PADDING")
    dataset.add_new((_PRIVATE[0], 0x1001), "OB", bytes(_MIB))


def _refused_syntax(dataset: Dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = UID(_JPIP)


def _noise(dataset: Dataset) -> None:
    values = np.random.default_rng(1).integers(24, 3000, (dataset.Rows, dataset.Columns))
    set_stored(dataset, values)


def _undivided(body: bytes) -> bytes:
    """Two frames in one fragment, and no table that tells where the second begins."""
    slices = [pydicom.dcmread(io.BytesIO(body)) for _ in range(2)]
    made = enhanced(slices)
    compress_rle(made)
    made["PixelData"].value = encapsulate([b"".join(_parts(made))], has_bot=False)
    return to_bytes(made)


def _parts(dataset: Dataset) -> list[bytes]:
    return list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.NumberOfFrames)))


def _replaced(body: bytes, tag: bytes, vr: bytes) -> bytes:
    """The element of that tag written as another VR of the same header form."""
    at = body.index(tag) + len(tag)
    return body[:at] + vr + body[at + 2 :]


def _rows_twice(body: bytes) -> bytes:
    at = body.index(_ROWS + b"US")
    return body[: at + 10] + body[at : at + 10] + body[at + 10 :]


OBJECT_DEFECTS: tuple[Defect, ...] = (
    _fields("no_sop_class", "identity_missing", SOPClassUID=None),
    _fields("no_sop_instance", "identity_missing", SOPInstanceUID=None),
    _fields("no_study", "identity_missing", StudyInstanceUID=None),
    _fields("id_series_uid", "identity_missing", SeriesInstanceUID="ID_6431af929"),
    _fields("secondary_capture", "sop_class", SOPClassUID=_SECONDARY_CAPTURE),
    _fields("modality_mr", "modality", Modality="MR"),
    _fields("localizer", "image_type", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    _fields("reformat", "image_type", ImageType=["DERIVED", "PRIMARY", "MPR"]),
    _dataset("two_frames", "multi_frame", _two_frames),
    _fields("colour", "pixel_layout", PhotometricInterpretation="RGB"),
    _fields("high_bit", "pixel_layout", HighBit=15),
    _dataset("tiny_matrix", "matrix_size", _crop(16, 512)),
    _dataset("not_square", "matrix_size", _crop(512, 256)),
    _dataset("half_matrix", "matrix_resampled", _half_matrix),
    _fields("no_pixels", "pixel_length", PixelData=None),
    _dataset("short_pixels", "pixel_length", _length(-370_578)),
    _dataset("long_pixels", "pixel_length", _length(2)),
    _fields("sagittal", "not_axial", ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
    _fields("no_orientation", "not_axial", ImageOrientationPatient=None),
    _fields("tilt_33", "tilt", ImageOrientationPatient=[1, 0, 0, 0, 0.838671, 0.544639]),
    _fields("no_slope", "rescale_missing", RescaleSlope=None),
    _fields("slope_0", "rescale_missing", RescaleSlope="0"),
    _fields("no_intercept", "rescale_missing", RescaleIntercept=None),
    _fields("slope_huge", "hu_not_finite", RescaleSlope="1e39"),
    _fields("electron_density", "rescale_type", RescaleType="ED"),
    _fields("intercept_far", "hu_implausible", RescaleIntercept="-9000"),
    _fields("iodine", "contrast_agent", ContrastBolusAgent="IOHEXOL"),
    _fields("says_contrast", "contrast_suspected", SeriesDescription="HEAD WITH CONTRAST"),
    _fields("kvp_60", "kvp_implausible", KVP="60"),
    _fields("kvp_80", "kvp_range", KVP="80"),
    _fields("thickness_12", "thickness", SliceThickness="12"),
    _fields("spacing_0_28", "pixel_spacing", PixelSpacing=[0.28, 0.28]),
    _fields("edge_kernel", "kernel", ConvolutionKernel="H70h"),
    _fields("chest", "body_part", BodyPartExamined="CHEST"),
    _fields("age_9", "paediatric", PatientAge="009Y"),
    _fields("burned_in", "burned_in", BurnedInAnnotation="YES"),
    _fields("monochrome1", "monochrome1", PhotometricInterpretation="MONOCHROME1"),
    _fields("once_lossy", "lossy_compression", LossyImageCompression="01"),
    _fields("no_window", "default_window_substituted", WindowWidth=None),
    _fields("window_width_0", "default_window_substituted", WindowWidth="0"),
    _dataset("overlay_bits", "fix_bits", _overlay_bits),
    _dataset("wraparound", "fix_wraparound", _wrapped),
    _dataset("raw_padding", "fix_padding", _raw_padding),
    _dataset("noise", "not_head_like", _noise),
    _fields("shifted", "content_unusual", RescaleIntercept="-1060"),
    _fields("no_groups", "functional_groups", SOPClassUID=ENHANCED_CT),
    _fields("many_frames", "frame_limit", SOPClassUID=ENHANCED_CT, NumberOfFrames="129"),
    Defect("undivided", "frame_offsets", _undivided),
    Defect("slope_as_text", "wrong_vr", lambda body: _replaced(body, _SLOPE, b"LO")),
    Defect("rows_twice", "tag_order", _rows_twice),
    _dataset("jpip", "transfer_syntax", _refused_syntax),
    _dataset("broken_run", "pixel_corrupt", _broken_run),
    _dataset("inflates", "inflate_limit", _inflates),
    _dataset("long_header", "header_limit", _long_header),
    Defect("cut_pixels", "pixel_length", lambda body: body[: len(body) // 2]),
    Defect("cut_header", "corrupt", lambda body: body[:603]),
    Defect("too_large", "too_large", lambda body: body + bytes(4 * _MIB)),
    Defect("no_dicom", "not_dicom", lambda body: b"\x89PNG" * (len(body) // 4)),
)
