"""Dicom edit: change a written DICOM object in one place and write it again, without validation.

file ─> pydicom dataset ─> change ─> file
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from model_build.synthetic.dicom_writer import to_bytes

Change = Callable[[Dataset], None]


def edited(body: bytes, change: Change) -> bytes:
    """The file with `change` applied to its dataset."""
    dataset = pydicom.dcmread(io.BytesIO(body))
    change(dataset)
    return to_bytes(dataset)


def put(dataset: Dataset, keyword: str, value: object) -> None:
    """Set one element without validation; None removes it."""
    number = tag_for_keyword(keyword)
    if number is None:
        raise ValueError(f"no DICOM keyword: {keyword}")
    tag = Tag(number)
    if value is None:
        dataset.pop(tag, None)
        return
    vr = dictionary_VR(tag).split(" or ")[-1]
    if vr == "SS":
        vr = "SS" if dataset.PixelRepresentation else "US"
    dataset[tag] = DataElement(tag, vr, value, validation_mode=config.IGNORE)


def stored(dataset: Dataset) -> npt.NDArray[np.uint16]:
    """A copy of the 16 bits of each pixel (rows, columns) of a little endian native dataset."""
    values = np.frombuffer(dataset.PixelData, "<u2")
    return values.reshape(dataset.Rows, dataset.Columns).copy()


def set_stored(dataset: Dataset, values: npt.NDArray[Any]) -> None:
    """Replace the pixels by the low 16 bits of `values`; rows and columns follow."""
    dataset.Rows, dataset.Columns = values.shape
    dataset["PixelData"].value = values.astype("<u2").tobytes()
