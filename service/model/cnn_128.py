"""Cnn128: the plain CNN that R. Kumar compares with transfer learning, 128x128x3.

Source: R. Kumar 2021, Intracranial Hemorrhage Detection Using Deep Learning and Transfer Learning,
MSc project, National College of Ireland.
"""

from __future__ import annotations

from torch import Tensor, nn

from service.model.keras import keras_default_
from service.model.three_window import ThreeWindowNetwork
from service.types import LABELS

FILTERS = (32, 64, 128, 128)
DENSE = (128, 64)


class Cnn128(ThreeWindowNetwork):
    """Four [valid 3x3 convolution, ReLU, max-pool 2x2], then dense layers of 128, 64 and six.

    Published: input, windows, labels and a CNN of unstated sizes. Chosen: the filters 32, 64, 128
    and 128 and the dense layers; sides 63, 30, 14, 6 at 128 pixels, 839,430 parameters. Initial
    values: Keras defaults.
    """

    def __init__(self, size: int = 128, outputs: int = len(LABELS)) -> None:
        super().__init__(size, outputs)
        layers: list[nn.Module] = []
        for inputs, filters in zip((3, *FILTERS), FILTERS, strict=False):
            layers += [nn.Conv2d(inputs, filters, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        layers.append(nn.Flatten())
        widths = (_side(size) ** 2 * FILTERS[-1], *DENSE)
        for inputs, units in zip(widths, DENSE, strict=False):
            layers += [nn.Linear(inputs, units), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(DENSE[-1], outputs))
        self.apply(keras_default_)

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, size, size) float32 in [0, 1] -> (B, outputs)."""
        logits: Tensor = self.layers(images)
        return logits


def _side(size: int) -> int:
    """Side of the last maps for an image of `size` pixels; too small an image is refused."""
    for _ in FILTERS:
        size = (size - 2) // 2
    if size < 1:
        raise ValueError("the image is too small for the four convolutions of this network")
    return size
