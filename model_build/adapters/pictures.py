"""Pictures: 8-bit images and masks on the 512 x 512 grid of the voxels.

Pictures hold no Hounsfield units: grey values 0..255 stay grey values, the default window
(127.5, 255) shows them as they are, and networks of HU refuse the set (`catalog`).
Pillow is imported where a picture is touched: training on DICOM needs none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.dicom.resample import to_slice_size
from service.types import SLICE_SIZE

GREY_WINDOW = (127.5, 255.0)

Grey = npt.NDArray[np.uint8]


def read_grey(path: Path) -> Grey:
    """A picture as uint8 (rows, columns); transparency is laid on black.

    Raises:
        OSError: it is no picture, or damaged.
    """
    from PIL import Image

    with Image.open(path) as picture:
        if picture.mode not in ("RGBA", "LA", "P"):
            return np.asarray(picture.convert("L"))
        layer = picture.convert("RGBA")
    black = Image.new("RGBA", layer.size, "black")
    return np.asarray(Image.alpha_composite(black, layer).convert("L"))


def without_border(grey: Grey, pixels: int) -> Grey:
    """The picture without a frame of some pixels on each side."""
    return grey[pixels:-pixels, pixels:-pixels]


def square_voxels(grey: Grey) -> npt.NDArray[np.int16]:
    """Grey values of a square picture as int16 (512, 512): the mean when reducing."""
    return to_slice_size(grey.astype(np.int16))


def stretched_voxels(grey: Grey) -> npt.NDArray[np.int16]:
    """Grey values of a picture of any shape as int16 (512, 512), stretched as the papers do."""
    from PIL import Image

    size = (SLICE_SIZE, SLICE_SIZE)
    scaled = Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(scaled).astype(np.int16)


def mask_of(inside: npt.NDArray[np.bool_], value: int) -> npt.NDArray[np.uint8]:
    """A square mask on the 512 x 512 grid: `value` where at least half of a pixel is inside."""
    share = to_slice_size(inside.astype(np.int16) * 1000)
    return np.where(share >= 500, value, 0).astype(np.uint8)


def write_mask(path: Path, mask: npt.NDArray[np.uint8]) -> None:
    """Write a mask as 8-bit greyscale PNG."""
    from PIL import Image

    Image.fromarray(mask).save(path)
