"""The slices of NEMA's WG-04 in each syntax, where the archive lies beside the checkout.

They are no part of the repository; everything here is skipped, visibly, without them. Two are CT;
the others (MR, NM, XA) have other sizes, bits and signs, and are as good for a decoder.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from service.dicom.decode import decode_slice
from service.dicom.limits import Caps
from service.dicom.pixels import stored_values
from service.dicom.reader import read

ARCHIVE = Path(__file__).parents[4] / "shared" / "data" / "dicom_test_files.tar.xz"
LOSSLESS = {"J2KR": 6, "JLSL": 7, "JPLL": 7, "RLE": 7}  # kind: how many files there are
MEAN_ERROR = {"JLSN": 4.0, "JPLY": 12.0, "J2KI": 40.0}  # stored values; J2KI is 1 to 70 and more

pytestmark = pytest.mark.skipif(
    not ARCHIVE.is_file(), reason="needs dicom_test_files.tar.xz in ../shared/data"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of WG-04 by name."""
    folder = tmp_path_factory.mktemp("wg04")
    with tarfile.open(ARCHIVE) as archive:
        members = [item for item in archive if "/WG04/" in item.name]
        archive.extractall(folder, members, filter="data")
    return {path.name: path for path in folder.rglob("*_*") if path.is_file()}


def of_kind(files: dict[str, Path], kind: str) -> list[Path]:
    """The files of one syntax."""
    return sorted(path for name, path in files.items() if name.endswith(kind))


def reference(files: dict[str, Path], path: Path) -> npt.NDArray[Any]:
    """The same slice uncompressed or, where that is missing, as RLE; read by pydicom."""
    name = path.name.split("_")[0]
    plain = files.get(f"{name}_UNC") or files[f"{name}_RLE"]
    return pydicom.dcmread(plain).pixel_array


def found(path: Path) -> tuple[npt.NDArray[Any], list[str]]:
    """Stored values and remarks of one file."""
    caps = Caps()
    values, notes = stored_values(read(path.read_bytes(), caps), caps)
    return values, [note.code for note in notes]


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_files_are_equal_bit_for_bit(files: dict[str, Path], kind: str) -> None:
    """JPEG 2000, JPEG-LS, JPEG Lossless and RLE of one slice hold one slice."""
    paths = of_kind(files, kind)
    assert len(paths) == LOSSLESS[kind]
    for path in paths:
        values, codes = found(path)
        expected = reference(files, path)
        assert np.array_equal(values, expected), path.name
        assert values.dtype == expected.dtype
        assert codes == []


@pytest.mark.parametrize("kind", MEAN_ERROR)
def test_lossy_files_stay_close(files: dict[str, Path], kind: str) -> None:
    """The mean error is that of such a compression, and it is said."""
    for path in of_kind(files, kind):
        values, codes = found(path)
        error = np.abs(values.astype(int) - reference(files, path))
        assert 0 < error.mean() <= MEAN_ERROR[kind], path.name
        assert codes == ["lossy_compression"]
        if kind == "JLSN":
            assert error.max() == 4  # its NEAR


def test_lossy_jpeg_2000_is_that_of_another_decoder(files: dict[str, Path]) -> None:
    """pydicom, with the decoder of Pillow, gives the same values to the bit."""
    for path in of_kind(files, "J2KI"):
        assert np.array_equal(found(path)[0], pydicom.dcmread(path).pixel_array)


def test_every_ct_slice_gets_a_verdict_on_its_content(files: dict[str, Path]) -> None:
    """Whatever the gate says of these slices, it is not that their pixels cannot be read."""
    unreadable = {"transfer_syntax", "pixel_corrupt", "decoder_failed", "corrupt", "pixel_length"}
    slices = [path for name, path in files.items() if name.startswith("CT")]
    assert len(slices) == 12
    for path in slices:
        assert not {v.code for v in decode_slice(path.read_bytes()).violations} & unreadable
