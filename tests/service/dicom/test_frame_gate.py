"""The gate in front of the native decoders: a frame that contradicts its header never meets one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from load_tests import transcode
from service.dicom.codecs.registry import Codec
from service.dicom.limits import Caps
from service.dicom.pixels import PixelFault, stored_values
from service.dicom.reader import read
from tests.codestreams import (
    BITS,
    COLUMNS,
    FAMILIES,
    HT_FAMILY,
    J2K_FAMILY,
    ROWS,
    SIZ,
    changed,
    file_of,
    frame_of,
    resized,
    with_components,
    with_precision,
)

SYNTAXES = (*transcode.ENCODERS,)


class NativeCodeRan(Exception):
    """A decoder was called that should not have been."""


@pytest.fixture(autouse=True)
def no_native_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every native decoder raises instead of decoding."""

    def ran(*_: object) -> NoReturn:
        raise NativeCodeRan

    monkeypatch.setattr(Codec, "decode", ran)


def verdict(syntax: str, *fragments: bytes, **fields: Any) -> str:
    """Whether a frame was refused, or came through to the decoder."""
    caps = Caps()
    try:
        stored_values(read(file_of(syntax, *fragments, **fields), caps), caps)
    except PixelFault:
        return "refused"
    except NativeCodeRan:
        return "decoded"
    raise AssertionError("neither")


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_valid_frame_comes_through(syntax: str) -> None:
    """The control of every test below: unchanged, the frame does reach its decoder."""
    assert verdict(syntax, frame_of(syntax)) == "decoded"


HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "a row more": lambda f: resized(f, ROWS + 1, COLUMNS),
    "a column less": lambda f: resized(f, ROWS, COLUMNS - 1),
    "turned": lambda f: resized(f, COLUMNS, ROWS),
    "65,535 square": lambda f: resized(f, 65535, 65535),
    "three components": lambda f: with_components(f, 3),
    "three components without parameters": lambda f: with_components(f, 3).replace(
        b"\1\x11\0", b""
    ),
    "17 bits": lambda f: with_precision(f, 17),
    "2 bits": lambda f: with_precision(f, 2),
    "cut in the middle": lambda f: f[: len(f) // 2],
    "cut at its end": lambda f: f.rstrip(b"\0")[:-1],
    "empty": lambda _: b"",
    "one byte": lambda f: f[:1],
    "zeros": lambda f: bytes(len(f)),
    "two frames in one": lambda f: f + f,
}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_frames_are_refused_unread(syntax: str, change: Callable[[bytes], bytes]) -> None:
    """Size, components, precision, truncation: refused by the Python gate."""
    assert verdict(syntax, change(frame_of(syntax))) == "refused"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family[0])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_frame_of_another_codec_is_refused(syntax: str, family: tuple[str, ...]) -> None:
    """A frame comes through under the syntaxes of its own family and under no other."""
    for declared in family:
        fields = {"BitsStored": BITS.get(syntax, 12), "HighBit": BITS.get(syntax, 12) - 1}
        expected = "decoded" if syntax in family else "refused"
        assert verdict(declared, frame_of(syntax), **fields) == expected


@pytest.mark.parametrize("syntax", [s for s in SYNTAXES if s not in HT_FAMILY])
def test_fewer_bits_than_stored_are_refused(syntax: str) -> None:
    """A codestream that cannot hold the stored bits, also by one."""
    bits = 16 if "4.8" in syntax else BITS.get(syntax, 12)
    enough = {"BitsStored": bits, "HighBit": bits - 1}
    assert verdict(syntax, frame_of(syntax), **enough) == "decoded"
    if bits < 16:
        more = {"BitsStored": bits + 1, "HighBit": bits}
        assert verdict(syntax, frame_of(syntax), **more) == "refused"


@pytest.mark.parametrize("syntax", [*J2K_FAMILY, *HT_FAMILY])
@pytest.mark.parametrize("tile", [0, 1, 3], ids=["no tile", "6,144 tiles", "704 tiles"])
def test_tiles_without_number_are_refused(syntax: str, tile: int) -> None:
    """Tiles of nothing divide by zero in a decoder; tiles of a pixel cost it memory each."""
    size = tile.to_bytes(4, "big")
    assert verdict(syntax, changed(frame_of(syntax), SIZ, 18, size + size)) == "refused"


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_empty_fragments_are_refused(syntax: str) -> None:
    """Fragments without a byte are no frame, however many there are."""
    assert verdict(syntax, b"", b"", b"") == "refused"
