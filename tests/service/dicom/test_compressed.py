"""Compressed frames: the same stored values in every syntax, and what is said of lossy ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from load_tests import transcode
from service.dicom.decode import decode_slice
from service.dicom.hounsfield import Scale, to_hu
from service.dicom.limits import Caps, Thresholds
from service.dicom.pixels import LossyRefused, PixelFault, stored_values
from service.dicom.reader import read
from service.dicom.transfer_syntax import ACCEPTED
from service.types import Action, Kind
from tests.codestreams import COLUMNS, ROWS, file_of, frame_of, layout, values_of
from tests.factories import DROP, LOSSLESS, LOSSY, head_hu, make_ct_slice

WARN, REFUSE = Caps(), Caps(thresholds=Thresholds(lossy="refuse"))
STORAGES = [(12, False), (16, False), (12, True), (16, True)]
# The largest error of a value in steps of the stored unit, on the slope of `values_of`.
ERRORS = {
    transcode.BASELINE: 16,
    transcode.EXTENDED: 60,
    transcode.JPEG_LS_NEAR: transcode.NEAR,
    transcode.JPEG_2000: 60,
    transcode.HTJ2K: 60,
}


def decoded(body: bytes, caps: Caps = WARN) -> tuple[npt.NDArray[Any], list[str]]:
    """Stored values of a file, and the codes of what is said of them."""
    values, notes = stored_values(read(body, caps), caps)
    return values, [note.code for note in notes]


def file_with(syntax: str, bits: int, *, signed: bool = False, **fields: Any) -> bytes:
    """The slope of so many bits, compressed for real."""
    values = values_of(bits, signed=signed)
    described = layout(bits, signed=signed) | fields
    return make_ct_slice(pixels=values, transfer_syntax=syntax, **described)


@pytest.mark.parametrize("storage", STORAGES, ids=lambda s: f"{s[0]} bits signed={s[1]}")
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_syntaxes_keep_every_bit(syntax: str, storage: tuple[int, bool]) -> None:
    """12 and 16 bits, signed and unsigned: what was stored comes out, in its own sign."""
    bits, signed = storage
    values, codes = decoded(file_with(syntax, bits, signed=signed))
    assert values.dtype.kind == ("i" if signed else "u")
    assert np.array_equal(values, values_of(bits, signed=signed))
    assert codes == []


@pytest.mark.parametrize("syntax", LOSSY)
def test_lossy_syntaxes_stay_close_and_say_so(syntax: str) -> None:
    """Every value is near the original, and the warning is there."""
    bits = 8 if syntax == transcode.BASELINE else 12
    body = make_ct_slice(pixels=values_of(12), transfer_syntax=syntax, **layout(12))
    values, codes = decoded(body)
    original = values_of(12).astype(int) >> (12 - bits)
    error = int(np.abs(values.astype(int) - original).max())
    assert 0 < error <= ERRORS[syntax]
    assert codes == ["lossy_compression"]


@pytest.mark.parametrize("syntax", [*transcode.ENCODERS])
def test_fragments_of_one_frame_are_joined(syntax: str) -> None:
    """A frame in three fragments is the frame in one (PS3.5 A.4)."""
    frame = frame_of(syntax)
    whole, _ = decoded(file_of(syntax, frame))
    parts, _ = decoded(file_of(syntax, frame[:100], frame[100:200], frame[200:]))
    assert np.array_equal(whole, parts)


@pytest.mark.parametrize("padding", [b"\0", b"\xff", b"\0\0\0\0"], ids=["00", "FF", "four"])
@pytest.mark.parametrize("syntax", [*transcode.ENCODERS])
def test_padding_behind_a_frame_is_no_fault(syntax: str, padding: bytes) -> None:
    """Encoders reach an even length with 00 or, older ones, with FF."""
    frame = frame_of(syntax).rstrip(b"\0")
    assert decoded(file_of(syntax, frame + padding))[0].shape == (ROWS, COLUMNS)


@pytest.mark.parametrize("syntax", LOSSY)
def test_lossy_can_be_refused(syntax: str) -> None:
    """With `lossy` set to `refuse` the object is answered like an unknown transfer syntax."""
    body = make_ct_slice(transfer_syntax=syntax)
    found = {item.code: item for item in decode_slice(body, REFUSE).violations}
    item = found["lossy_compression"]
    assert (item.action, item.kind) == (Action.REJECT, Kind.UNSUPPORTED)
    assert decode_slice(body, REFUSE).slice_hu is None
    (item,) = decode_slice(body).violations
    assert (item.code, item.action) == ("lossy_compression", Action.WARN)
    assert decode_slice(body).slice_hu is not None


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_is_never_refused_as_lossy(syntax: str) -> None:
    """The setting changes nothing for values that were kept."""
    assert decode_slice(make_ct_slice(transfer_syntax=syntax), REFUSE).violations == ()


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        (transcode.JPEG_LS_NEAR, transcode.JPEG_LS),
        (transcode.JPEG_2000, transcode.JPEG_2000_LOSSLESS),
        (transcode.HTJ2K, transcode.HTJ2K_LOSSLESS),
    ],
)
def test_the_codestream_decides_what_is_lossy(declared: str, written: str) -> None:
    """A lossy-capable syntax used losslessly has no warning; the reverse has one."""
    values, codes = decoded(file_of(declared, frame_of(written)), REFUSE)
    assert codes == []
    assert np.array_equal(values, values_of(12))
    assert decoded(file_of(written, frame_of(declared)))[1] == ["lossy_compression"]


def test_once_lossy_stays_lossy() -> None:
    """LossyImageCompression 01 is the warning, whatever the syntax of today (PS3.3 C.7.6.1.1.5)."""
    body = make_ct_slice(LossyImageCompression="01")
    assert [item.code for item in decode_slice(body).violations] == ["lossy_compression"]
    with pytest.raises(LossyRefused):
        decoded(body, REFUSE)
    assert decode_slice(make_ct_slice(LossyImageCompression="00")).violations == ()


@pytest.mark.parametrize("bits", [12, 16])
def test_sign_of_jpeg_2000_yields_to_the_header(bits: int) -> None:
    """Unsigned codestream, signed header and the reverse: the bits are kept, and it is said."""
    for signed in (True, False):
        values = values_of(bits, signed=signed)
        pattern = values.astype(np.int32) & ((1 << bits) - 1)
        sign = 1 << (bits - 1)
        other = pattern if signed else (pattern ^ sign) - sign
        frame = transcode.encode(
            transcode.JPEG_2000_LOSSLESS, other.astype(np.uint16 if signed else np.int16), bits
        )
        body = file_of(transcode.JPEG_2000_LOSSLESS, frame, **layout(bits, signed=signed))
        scale = Scale(intercept=-1024.0, bits_stored=bits, signed=signed)
        hu, fixes = to_hu(decoded(body)[0], scale)
        assert np.array_equal(hu, to_hu(values, scale)[0])
        assert "fix_bits" in [fix.code for fix in fixes]


def test_more_room_than_bits_stored_is_fine() -> None:
    """A codestream of 16 bits for 12 stored ones, as many encoders write it."""
    for signed in (False, True):
        values = values_of(12, signed=signed)
        frame = transcode.encode(transcode.JPEG_LOSSLESS_SV1, values, 16)
        body = file_of(transcode.JPEG_LOSSLESS_SV1, frame, **layout(12, signed=signed))
        assert np.array_equal(decoded(body)[0], values)


def test_lossy_values_never_wrap() -> None:
    """What overshoots 12 stored bits in a codestream of 16 ends at 4095 instead of near 0."""
    values = np.full((ROWS, COLUMNS), 4094, np.uint16)
    values[::2] = 4090
    frame = transcode.encode(transcode.JPEG_LS_NEAR, values + np.uint16(2), 16)
    found, _ = decoded(file_of(transcode.JPEG_LS_NEAR, frame))
    assert 4085 < found.min() <= found.max() <= 4095


def test_too_few_bits_are_refused() -> None:
    """Where the sign would lie in a codestream of 10 bits for 12 stored ones is unknown."""
    frame = transcode.encode(transcode.JPEG_LOSSLESS_SV1, values_of(10), 10)
    with pytest.raises(PixelFault):
        decoded(file_of(transcode.JPEG_LOSSLESS_SV1, frame))


def test_every_accepted_syntax_is_tested() -> None:
    """The two lists of the tests above are all that the service decodes."""
    assert set(ACCEPTED) == {*LOSSLESS, *LOSSY}


def test_a_whole_slice_in_every_lossless_syntax() -> None:
    """The head of the factory through the whole decode, without a remark."""
    for syntax in LOSSLESS:
        found = decode_slice(make_ct_slice(transfer_syntax=syntax))
        assert found.violations == ()
        assert found.slice_hu is not None
        assert np.array_equal(found.slice_hu.voxels_hu, head_hu())


def test_no_pixels_in_a_compressed_syntax() -> None:
    """A compressed syntax without fragments has no pixels."""
    body = make_ct_slice(transfer_syntax=transcode.JPEG_LS, PixelData=DROP)
    assert [item.code for item in decode_slice(body).violations] == ["pixel_length"]
