"""Transfer syntax: the closed list of those that are decoded, and how each writes its data set.

Compressed syntaxes other than RLE are refused until a decoder behind a header gate is present.
Lossy ones are never accepted: they do not preserve Hounsfield units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydicom.uid import AllTransferSyntaxes

from service.dicom.scan import Encoding
from service.dicom.violations import TRANSFER_SYNTAX
from service.types import Violation


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """An accepted transfer syntax (PS3.5 annex A)."""

    uid: str
    name: str
    encoding: Encoding
    deflated: bool = False
    rle: bool = False


_LITTLE = Encoding(implicit=False)
IMPLICIT_LITTLE = TransferSyntax(
    "1.2.840.10008.1.2", "Implicit VR Little Endian", Encoding(implicit=True)
)
EXPLICIT_LITTLE = TransferSyntax("1.2.840.10008.1.2.1", "Explicit VR Little Endian", _LITTLE)
EXPLICIT_BIG = TransferSyntax(
    "1.2.840.10008.1.2.2", "Explicit VR Big Endian", Encoding(implicit=False, little=False)
)

ACCEPTED: dict[str, TransferSyntax] = {
    syntax.uid: syntax
    for syntax in (
        IMPLICIT_LITTLE,
        EXPLICIT_LITTLE,
        EXPLICIT_BIG,
        TransferSyntax(
            "1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", _LITTLE, deflated=True
        ),
        TransferSyntax("1.2.840.10008.1.2.5", "RLE Lossless", _LITTLE, rle=True),
    )
}
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
