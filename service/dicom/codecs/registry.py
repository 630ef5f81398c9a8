"""Registry: the native decoders that are really present, each behind its header gate.

frame -> Codec.inspect (pure Python) -> checked against the DICOM header -> Codec.decode (native)

The decoders are those of imagecodecs (BSD-3; libjpeg-turbo, CharLS, OpenJPEG and OpenJPH inside),
called directly: pydicom's own pixel path would decode first and compare sizes later.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from service.dicom.codecs import jpeg, jpeg2000
from service.dicom.codecs.codestream import Codestream, CodestreamFault

_library: ModuleType | None
try:
    import imagecodecs as _library
except ImportError:  # a platform without its wheel still decodes what needs no native code
    _library = None


def is_present(name: str) -> bool:
    """Whether a decoder of imagecodecs was built and can be loaded."""
    return bool(getattr(getattr(_library, name.upper(), None), "available", False))


@contextmanager
def _nothing_swallowed() -> Iterator[None]:
    """Raise `CodestreamFault` where the library could only report an error and went on.

    Its wrapper of OpenJPH does so in the middle of a picture, whose rest then stays empty.
    """
    swallowed: list[object] = []
    previous = sys.unraisablehook

    def note(report: sys.UnraisableHookArgs) -> None:
        if str(report.object).startswith("imagecodecs."):
            swallowed.append(report.object)
        else:
            previous(report)

    sys.unraisablehook = note
    try:
        yield
    finally:
        sys.unraisablehook = previous
    if swallowed:
        raise CodestreamFault


@dataclass(frozen=True, slots=True, eq=False)
class Codec:
    """One native decoder and the gate in front of it.

    Attributes:
        name: its name in imagecodecs.
        inspect: reads the header of a frame, or raises `CodestreamFault`.
        options: what the decoder is called with.
    """

    name: str
    inspect: Callable[[bytes], Codestream]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def present(self) -> bool:
        """Whether the decoder can be loaded."""
        return is_present(self.name)

    def decode(self, frame: bytes, rows: int, columns: int) -> npt.NDArray[Any]:
        """Decode a frame that `inspect` has passed and the caller has compared.

        Returns:
            Samples (rows, columns) of 8 or 16 bits, signed as the codestream says.

        Raises:
            CodestreamFault: the decoder refused the frame.
        """
        decode = getattr(_library, f"{self.name}_decode")
        try:
            with _nothing_swallowed():
                samples: npt.NDArray[Any] = decode(frame, **self.options)
        except (RuntimeError, ValueError) as error:
            raise CodestreamFault from error
        if samples.shape != (rows, columns) or samples.dtype.itemsize > 2:
            raise CodestreamFault
        return samples


_ONE_THREAD = {"numthreads": 1}

JPEG = Codec("jpeg8", partial(jpeg.inspect, process=jpeg.DCT))
JPEG_LOSSLESS = Codec("jpeg8", partial(jpeg.inspect, process=jpeg.LOSSLESS))
JPEG_LS = Codec("jpegls", partial(jpeg.inspect, process=jpeg.LS))
JPEG_2000 = Codec("jpeg2k", partial(jpeg2000.inspect, high_throughput=False), _ONE_THREAD)
HTJ2K = Codec("htj2k", partial(jpeg2000.inspect, high_throughput=True))

RLE = "dicomrle"


def decode_rle(frame: bytes, size: int) -> npt.NDArray[np.uint8]:
    """Decode an RLE frame (PS3.5 annex G) whose header was checked; it does not know its size.

    Args:
        frame: header and one segment each for the high and the low bytes.
        size: bytes of the native frame; not one more is written.

    Returns:
        The native frame, little endian, as bytes.

    Raises:
        CodestreamFault: the segments do not fill the frame exactly.
    """
    decode = getattr(_library, f"{RLE}_decode")
    try:
        plain = decode(frame, "<u2", out=bytearray(size))
    except (RuntimeError, ValueError) as error:
        raise CodestreamFault from error
    if len(plain) != size:
        raise CodestreamFault
    return np.frombuffer(plain, np.uint8)
