"""Transcode: the stored values of one slice as a codestream of each compressed transfer syntax.

stored values -> encode (imagecodecs) -> one fragment
data set -> compress -> its pixels in that fragment
file -> transcoded (any syntax) -> file

For tests and measurements only: the service decodes and never encodes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRBigEndian, RLELossless

_ROOT = "1.2.840.10008.1.2.4."
BASELINE, EXTENDED = _ROOT + "50", _ROOT + "51"
JPEG_LOSSLESS, JPEG_LOSSLESS_SV1 = _ROOT + "57", _ROOT + "70"
JPEG_LS, JPEG_LS_NEAR = _ROOT + "80", _ROOT + "81"
JPEG_2000_LOSSLESS, JPEG_2000 = _ROOT + "90", _ROOT + "91"
HTJ2K_LOSSLESS, HTJ2K_RPCL, HTJ2K = _ROOT + "201", _ROOT + "202", _ROOT + "203"

NEAR = 2  # largest error of a sample in the near-lossless syntax, stored values
_QUALITY = 95
_DECIBELS = 80  # signal to noise in JPEG 2000
_HTJ2K_STEP = 0.0002  # base quantisation step, share of the range

Values = npt.NDArray[Any]
Encoder = Callable[[Values, int], bytes]


def _pattern(values: Values, bits: int) -> npt.NDArray[np.uint16]:
    """The stored bits alone: JPEG and JPEG-LS know of no sign."""
    return (values.astype(np.int32) & ((1 << bits) - 1)).astype(np.uint16)


def _baseline(values: Values, bits: int) -> bytes:
    if bits != 8:
        raise ValueError("JPEG Baseline has 8 bits")
    return bytes(imagecodecs.jpeg8_encode(values.astype(np.uint8), level=_QUALITY))


def _extended(values: Values, bits: int) -> bytes:
    if bits != 12:
        raise ValueError("JPEG Extended has 12 bits here")
    pattern = _pattern(values, bits)
    return bytes(imagecodecs.jpeg8_encode(pattern, level=_QUALITY, bitspersample=bits))


def _lossless(predictor: int) -> Encoder:
    def encode(values: Values, bits: int) -> bytes:
        options: Mapping[str, Any] = {"lossless": True, "predictor": predictor}
        pattern = _pattern(values, bits)
        return bytes(imagecodecs.jpeg8_encode(pattern, bitspersample=bits, **options))

    return encode


def _jpeg_ls(near: int) -> Encoder:
    # CharLS writes 16 bits here, whatever is stored: the sign is that of 16 bits too.
    return lambda values, _: bytes(imagecodecs.jpegls_encode(_pattern(values, 16), level=near))


def _jpeg_2000(*, reversible: bool) -> Encoder:
    def encode(values: Values, bits: int) -> bytes:
        options = {"codecformat": "j2k", "reversible": reversible, "bitspersample": bits}
        level = None if reversible else _DECIBELS
        return bytes(imagecodecs.jpeg2k_encode(values, level=level, **options))

    return encode


def _htj2k(*, reversible: bool) -> Encoder:
    level = None if reversible else _HTJ2K_STEP
    return lambda values, _: bytes(
        imagecodecs.htj2k_encode(values, level=level, reversible=reversible)
    )


LOSSLESS: Mapping[str, Encoder] = {
    JPEG_LOSSLESS: _lossless(6),
    JPEG_LOSSLESS_SV1: _lossless(1),
    JPEG_LS: _jpeg_ls(0),
    JPEG_2000_LOSSLESS: _jpeg_2000(reversible=True),
    HTJ2K_LOSSLESS: _htj2k(reversible=True),
    HTJ2K_RPCL: _htj2k(reversible=True),
}
LOSSY: Mapping[str, Encoder] = {
    BASELINE: _baseline,
    EXTENDED: _extended,
    JPEG_LS_NEAR: _jpeg_ls(NEAR),
    JPEG_2000: _jpeg_2000(reversible=False),
    HTJ2K: _htj2k(reversible=False),
}
ENCODERS: Mapping[str, Encoder] = {**LOSSLESS, **LOSSY}


def encode(syntax: str, values: Values, bits: int) -> bytes:
    """One frame as a codestream, padded to an even length (PS3.5 A.4).

    Args:
        syntax: UID, one of `ENCODERS`.
        values: stored values (rows, columns), int16 or uint16.
        bits: bits stored.

    Raises:
        ValueError: the syntax has no frames of so many bits.
    """
    frame = ENCODERS[syntax](np.ascontiguousarray(values), bits)
    return frame + b"\0" * (len(frame) % 2)


def compress(dataset: Dataset, syntax: str) -> None:
    """Replace the native little endian pixels of a data set by one fragment of that syntax.

    JPEG Baseline has 8 bits: the low bits are dropped there, and the slope is raised.
    """
    kind = "<i2" if dataset.PixelRepresentation == 1 else "<u2"
    values = np.frombuffer(dataset.PixelData, kind).reshape(dataset.Rows, dataset.Columns)
    if syntax == BASELINE:
        spare = dataset.BitsStored - 8
        values = values >> spare
        dataset.RescaleSlope = str(float(dataset.RescaleSlope) * 2**spare)
        dataset.BitsStored, dataset.HighBit = 8, 7
    frame = encode(syntax, values, dataset.BitsStored)
    pixels = DataElement(0x7FE00010, "OB", encapsulate([frame]))
    pixels.is_undefined_length = True
    dataset["PixelData"] = pixels


def transcoded(body: bytes, syntax: str) -> bytes:
    """A native little endian file in another transfer syntax."""
    dataset = dcmread(io.BytesIO(body))
    if syntax == RLELossless:
        dataset.compress(RLELossless, generate_instance_uid=False)
    elif syntax in ENCODERS:
        compress(dataset, syntax)
    elif syntax == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
