"""Transfer syntax: the closed list of those that are decoded, and how each writes its data set.

A compressed syntax is on the list when its decoder was really found, behind its header gate.
Whether a frame is lossy is read from its codestream: the UID alone does not tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pydicom.uid import AllTransferSyntaxes

from service.dicom.codecs.registry import (
    HTJ2K,
    JPEG,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    RLE,
    Codec,
    is_present,
)
from service.dicom.scan import Encoding
from service.dicom.violations import TRANSFER_SYNTAX
from service.types import Violation


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """A transfer syntax (PS3.5 annex A); `codec` is the native decoder that it needs."""

    uid: str
    name: str
    encoding: Encoding
    deflated: bool = False
    rle: bool = False
    codec: Codec | None = None

    @property
    def decodable(self) -> bool:
        """Whether the decoder that it needs is present."""
        if self.rle:
            return is_present(RLE)
        return self.codec is None or self.codec.present

    @property
    def encapsulated(self) -> bool:
        """Whether the pixels lie in fragments (PS3.5 A.4)."""
        return self.rle or self.codec is not None


_LITTLE = Encoding(implicit=False)
IMPLICIT_LITTLE = TransferSyntax(
    "1.2.840.10008.1.2", "Implicit VR Little Endian", Encoding(implicit=True)
)
EXPLICIT_LITTLE = TransferSyntax("1.2.840.10008.1.2.1", "Explicit VR Little Endian", _LITTLE)
EXPLICIT_BIG = TransferSyntax(
    "1.2.840.10008.1.2.2", "Explicit VR Big Endian", Encoding(implicit=False, little=False)
)


def _compressed(number: str, name: str, codec: Codec) -> TransferSyntax:
    return TransferSyntax(f"1.2.840.10008.1.2.4.{number}", name, _LITTLE, codec=codec)


_KNOWN = (
    IMPLICIT_LITTLE,
    EXPLICIT_LITTLE,
    EXPLICIT_BIG,
    TransferSyntax(
        "1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", _LITTLE, deflated=True
    ),
    TransferSyntax("1.2.840.10008.1.2.5", "RLE Lossless", _LITTLE, rle=True),
    _compressed("50", "JPEG Baseline (Process 1)", JPEG),
    _compressed("51", "JPEG Extended (Process 2 and 4)", JPEG),
    _compressed("57", "JPEG Lossless (Process 14)", JPEG_LOSSLESS),
    _compressed("70", "JPEG Lossless (Process 14, Selection Value 1)", JPEG_LOSSLESS),
    _compressed("80", "JPEG-LS Lossless", JPEG_LS),
    _compressed("81", "JPEG-LS Near-Lossless", JPEG_LS),
    _compressed("90", "JPEG 2000 Lossless", JPEG_2000),
    _compressed("91", "JPEG 2000", JPEG_2000),
    _compressed("201", "High-Throughput JPEG 2000 Lossless", HTJ2K),
    _compressed("202", "High-Throughput JPEG 2000 with RPCL Options Lossless", HTJ2K),
    _compressed("203", "High-Throughput JPEG 2000", HTJ2K),
)


def decodable(known: Iterable[TransferSyntax] = _KNOWN) -> dict[str, TransferSyntax]:
    """Those whose decoder is present, by UID; the others are answered like unknown ones."""
    return {item.uid: item for item in known if item.decodable}


ACCEPTED: dict[str, TransferSyntax] = decodable()
_REGISTERED: dict[str, str] = {str(uid): uid.name for uid in AllTransferSyntaxes}


def refusal(uid: str) -> Violation:
    """The violation for a syntax that is not accepted; names it only if DICOM registered it.

    The name comes from the registry (PS3.6 annex A), never from the object.
    """
    name = _REGISTERED.get(uid)
    if name is None:
        return TRANSFER_SYNTAX
    sentence = f"The transfer syntax is not one that this service decodes: {name}."
    return replace(TRANSFER_SYNTAX, message=sentence)
