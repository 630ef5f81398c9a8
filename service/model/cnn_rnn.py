"""CnnRnn: two convolutions and an LSTM over a 4x4 grid of their averages.

Source: Sreelakshmi et al. 2023, Identification and prediction of acute intracranial hemorrhage by
using CNN and RNN techniques, AIP Conf. Proc. 2845, 050027.
"""

from __future__ import annotations

from torch import Tensor, nn

from service.model.keras import keras_default_
from service.model.raster_lstm import RasterLstm
from service.model.three_window import ThreeWindowNetwork
from service.types import LABELS

GRID = 4


class CnnRnn(ThreeWindowNetwork):
    """CNN followed by a recurrent network.

    Published: no reproducible model; convolutions 3x3x32 and 3x3x64, a pool and an RNN can be read
    from it. Chosen: padding "same", ReLU, 128x128 input, adaptive average to 4x4, 16 raster steps,
    LSTM of 64 units, one dense layer. Initial values: Keras defaults.
    """

    def __init__(self, size: int = 128, outputs: int = len(LABELS), lstm_units: int = 64) -> None:
        super().__init__(size, outputs)
        self.config["lstm_units"] = lstm_units
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(inplace=True),
            nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(GRID),
        )  # fmt: skip
        self.sequence = RasterLstm(64, lstm_units)
        self.head = nn.Linear(lstm_units, outputs)
        self.apply(keras_default_)

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, size, size) float32 in [0, 1] -> (B, outputs)."""
        logits: Tensor = self.head(self.sequence(self.convolutions(images)))
        return logits
