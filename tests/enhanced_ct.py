"""Enhanced CT: multi-frame objects made of the slices of `tests.factories`, and broken ones."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.filewriter import dcmwrite
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID, RLELossless

from model_build.synthetic.multi_frame import enhanced
from tests.factories import CT_IMAGE_STORAGE, EXPLICIT, UID_ROOT, make_dataset

Change = Callable[[Dataset], None]
ENHANCED = "1.2.840.10008.5.1.4.1.1.2.1"
LEGACY_CONVERTED = "1.2.840.10008.5.1.4.1.1.2.2"


def make_enhanced(
    frames: int = 3,
    *,
    change: Change | None = None,
    transfer_syntax: str = EXPLICIT,
    undefined_length: bool = False,
    fields: Sequence[dict[str, Any]] = (),
) -> bytes:
    """Bytes of an Enhanced CT object whose frame k is the slice `make_ct_slice(seed=k)`.

    Args:
        frames: how many.
        change: applied to the data set before it is written.
        transfer_syntax: a native one, or RLE (without an offset table unless `change` sets one).
        undefined_length: sequences and items end with delimiters instead of having a length.
        fields: for each frame, what its slice differs in from the valid one.
    """
    each = [*fields, *[{}] * frames][:frames]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slices = [make_dataset(seed=seed, **own) for seed, own in enumerate(each)]
        for item in slices:
            item.file_meta = FileMetaDataset()
        made = enhanced(slices)
        if transfer_syntax == RLELossless:
            compress(made, lambda parts: (encapsulate(parts, has_bot=False), None))
        if change is not None:
            change(made)
        made.file_meta = _meta(made, transfer_syntax)
        if undefined_length:
            _open_ended(made)
        buffer = io.BytesIO()
        dcmwrite(buffer, made, enforce_file_format=True)
    return buffer.getvalue()


def compress(
    made: Dataset, pack: Callable[[list[bytes]], tuple[bytes, tuple[bytes, bytes] | None]]
) -> None:
    """Replace native pixels by RLE fragments that `pack` encapsulates."""
    if "PixelData" not in made:
        return
    raw = np.frombuffer(made.PixelData, "<u2").reshape(-1, made.Rows, made.Columns)
    parts = [rle(frame) for frame in raw]
    data, table = pack(parts)
    made["PixelData"].VR = "OB"
    made["PixelData"].value = data
    made["PixelData"].is_undefined_length = True
    if table is not None:
        made.ExtendedOffsetTable, made.ExtendedOffsetTableLengths = table


def rle(frame: np.ndarray[Any, np.dtype[np.uint16]]) -> bytes:
    """One RLE fragment of a frame."""
    rows, columns = frame.shape
    return get_encoder(RLELossless).encode(
        frame,
        encoding_plugin="pydicom",
        rows=rows,
        columns=columns,
        samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=16,
        bits_stored=16,
        pixel_representation=0,
        number_of_frames=1,
    )


def with_basic_table(parts: list[bytes]) -> tuple[bytes, None]:
    """Fragments behind a Basic Offset Table."""
    return encapsulate(parts, has_bot=True), None


def with_extended_table(parts: list[bytes]) -> tuple[bytes, tuple[bytes, bytes]]:
    """Fragments with an Extended Offset Table."""
    data, offsets, lengths = encapsulate_extended(parts)
    return data, (offsets, lengths)


def _meta(made: Dataset, transfer_syntax: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = made.get("SOPClassUID", CT_IMAGE_STORAGE)
    meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = f"{UID_ROOT}.9"
    return meta


def _open_ended(dataset: Dataset) -> None:
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                _open_ended(item)
