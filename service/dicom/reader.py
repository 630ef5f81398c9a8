"""Reader: bytes of unknown origin to a header and the place of its pixels, within bounds.

body -> sniff DICM -> file meta -> transfer syntax -> [bounded inflate] -> scan -> Parsed
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace

from service.dicom.header import ENHANCED_CT, TAGS, WANTED, Header
from service.dicom.limits import Caps
from service.dicom.scan import PIXEL_DATA, Encoding, Layout, Place, ScanFault, Scanner
from service.dicom.transfer_syntax import (
    ACCEPTED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    TransferSyntax,
    refusal,
)
from service.dicom.violations import CORRUPT, INFLATE_LIMIT, NOT_DICOM, TOO_LARGE
from service.types import Violation

_PREFIX_AT = 128
_MEDIA_CLASS = 0x00020002
_SYNTAX = 0x00020010
_META_WANTED = frozenset((_MEDIA_CLASS, _SYNTAX))
_META_ENCODING = Encoding(implicit=False)  # PS3.10 7.1, whatever the data set uses


@dataclass(frozen=True, slots=True)
class Parsed:
    """One object, read but not judged.

    Attributes:
        header: the wanted elements.
        media_class: SOP class that the file meta group declares, or empty.
        encoding: how the data set is written.
        syntax: transfer syntax of the pixels; None when it is not accepted.
        fragments: encapsulated pixel data, one place each.
        offsets: the Basic Offset Table in front of them.
        faults: why the object could not be read to its end; empty when it could.
    """

    header: Header
    media_class: str = ""
    encoding: Encoding = _META_ENCODING
    syntax: TransferSyntax | None = None
    fragments: tuple[Place, ...] = ()
    offsets: Place | None = None
    faults: tuple[Violation, ...] = ()

    @property
    def multi_frame(self) -> bool:
        """Whether its class has a header for each frame (PS3.3 A.38 and A.70)."""
        return self.header.uid("SOPClassUID") in ENHANCED_CT

    @property
    def pixels(self) -> Place | None:
        """Where the native pixel data lies; None without any, encapsulated, or past the end."""
        place = self.header.places.get(PIXEL_DATA)
        if place is None or place.start + place.length > len(self.header.data):
            return None
        return place


@dataclass(slots=True)
class _Meta:
    """File meta group: where the data set starts and what is declared for it."""

    start: int
    media_class: str = ""
    syntax_uid: str = ""
    faults: list[Violation] = field(default_factory=list)


def read(body: bytes | memoryview, caps: Caps) -> Parsed:
    """Read one object; every fault is a violation in `Parsed.faults`, nothing is raised."""
    data = memoryview(body).toreadonly()
    if len(data) > caps.longest_bytes:
        return Parsed(Header(data[:0], {}), faults=(TOO_LARGE,))
    has_prefix = bytes(data[_PREFIX_AT : _PREFIX_AT + 4]) == b"DICM"
    meta = _read_meta(data, _PREFIX_AT + 4 if has_prefix else 0, caps)
    parsed = _read_data_set(data, meta, caps)
    if len(data) > caps.max_bytes and not parsed.multi_frame:
        return replace(parsed, faults=(TOO_LARGE,))
    if not has_prefix and not _looks_like_dicom(parsed):
        return Parsed(Header(data[:0], {}), faults=(NOT_DICOM,))
    return parsed


def _read_meta(data: memoryview, start: int, caps: Caps) -> _Meta:
    """Walk the group 0002; its own group length is not believed."""
    scanner = Scanner(data, _META_ENCODING, caps, _META_WANTED)
    meta = _Meta(start)
    # Gateways and old exports send data sets without any file meta group.
    if bytes(data[start : start + 2]) != b"\x02\x00":
        return meta
    try:
        meta.start = scanner.walk(start, stop=lambda tag: tag >> 16 > 2)
    except ScanFault as fault:
        meta.faults.append(fault.violation)
        meta.start = len(data)
    meta.media_class = _ascii(data, scanner.layout.places.get(_MEDIA_CLASS))
    meta.syntax_uid = _ascii(data, scanner.layout.places.get(_SYNTAX))
    return meta


def _ascii(data: memoryview, place: Place | None) -> str:
    """A UID of the file meta group; 65 characters suffice to see that it is too long."""
    if place is None:
        return ""
    raw = bytes(data[place.start : place.start + min(place.length, 65)])
    return raw.decode("latin-1").strip(" \0")


def _guess(data: memoryview) -> TransferSyntax:
    """The encoding of a data set that declares none, from its first element header."""
    head = bytes(data[:6])
    if len(head) == 6 and head[4:6].isalpha() and head[4:6].isupper():
        return EXPLICIT_BIG if head[0] == 0 and head[1] != 0 else EXPLICIT_LITTLE
    return IMPLICIT_LITTLE


def _read_data_set(data: memoryview, meta: _Meta, caps: Caps) -> Parsed:
    """Inflate where declared, then scan; what was found before a fault is kept."""
    faults, start = meta.faults, meta.start
    guessed = _guess(data[start:])
    syntax = ACCEPTED.get(meta.syntax_uid) if meta.syntax_uid else guessed
    encoding = (syntax or guessed).encoding
    if syntax is None:
        faults.append(refusal(meta.syntax_uid))
    elif syntax.deflated and not faults:
        data, start = _inflate(data[start:], caps, faults), 0
    scanner = Scanner(data, encoding, caps, WANTED)
    try:
        scanner.walk(start)
    except ScanFault as fault:
        faults.append(fault.violation)
    layout: Layout = scanner.layout
    return Parsed(
        header=Header(data, layout.places, encoding.little, caps.lenient_uids),
        media_class=meta.media_class,
        encoding=encoding,
        syntax=syntax,
        fragments=tuple(layout.fragments),
        offsets=layout.offsets,
        faults=tuple(dict.fromkeys(faults)),
    )


def _inflate(data: memoryview, caps: Caps, faults: list[Violation]) -> memoryview:
    """Inflate a raw deflate stream (PS3.5 A.5) up to the cap and not one byte further."""
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, caps.max_inflated_bytes + 1)
    except zlib.error:
        faults.append(CORRUPT)
        return memoryview(b"")
    if len(inflated) > caps.max_inflated_bytes:
        faults.append(INFLATE_LIMIT)
        return memoryview(b"")
    if not inflater.eof:
        faults.append(CORRUPT)
    return memoryview(inflated)


def _looks_like_dicom(parsed: Parsed) -> bool:
    """Whether bytes without a prefix read as a data set: a SOP class or a modality was found."""
    places = parsed.header.places
    return TAGS["SOPClassUID"] in places or TAGS["Modality"] in places
