"""BhcNet: the small CNN of the brain hemorrhage classification papers, 128x128x3.

Sources: Mushtaq et al., IEEE Access 2021, 9:113901 (the original); Sharath, Varnavi & Pattar,
Hemorrhage Detection Using CNN (stated shapes); Anjum & Oberoi 2022 (training).
"""

from __future__ import annotations

from torch import Tensor, nn

from service.model.keras import SameStride2Conv, keras_default_
from service.model.three_window import ThreeWindowNetwork
from service.types import LABELS

DROPOUT = 0.4
CHANNELS = 64
# Three convolutions of stride 2 and two pools, each of which must halve an even side.
SHRINKAGE = 32


class BhcNet(ThreeWindowNetwork):
    """Three strided convolutions, global average pool, one dense layer.

    Published: 3x3 convolutions of stride 2, dropout 0.4, the shapes 64x64x32, 32x32x32 and 4x4x64
    and one sigmoid output, trained on 200 PNG images (`image_logits`, `outputs=1`: 56,385
    parameters). Chosen: 64 filters in the second convolution, and for slices with six labels the
    three-window input and `outputs=6`. Initial values: Keras defaults.
    """

    def __init__(self, size: int = 128, outputs: int = len(LABELS)) -> None:
        super().__init__(size, outputs)
        self.convolutions = strided_convolutions(size)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(CHANNELS, outputs)
        )
        self.apply(keras_default_)

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, size, size) float32 in [0, 1] -> (B, outputs)."""
        logits: Tensor = self.head(self.convolutions(images))
        return logits


def strided_convolutions(size: int) -> nn.Sequential:
    """The convolutional part: (B, 3, S, S) -> (B, 64, S/32, S/32); 4x4 for the published 128.

    Raises:
        ValueError: a side that is not a multiple of 32, where "same" would pad differently.
    """
    if size % SHRINKAGE:
        raise ValueError("the image size of this network must be a multiple of 32")
    return nn.Sequential(
        SameStride2Conv(3, 32), nn.ReLU(inplace=True), nn.Dropout(DROPOUT), nn.MaxPool2d(2),
        SameStride2Conv(32, CHANNELS), nn.ReLU(inplace=True), nn.Dropout(DROPOUT), nn.MaxPool2d(2),
        SameStride2Conv(CHANNELS, CHANNELS), nn.ReLU(inplace=True),
    )  # fmt: skip
