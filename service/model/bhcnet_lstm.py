"""BhcNetLstm: the convolutions of BHCNet and an LSTM over the positions of their last maps.

Source: Anjum & Oberoi 2022, Brain Haemorrhage Detection using LSTM, Convolution Neural Network and
CT Scan Images.
"""

from __future__ import annotations

from torch import Tensor, nn

from service.model.bhcnet import CHANNELS, DROPOUT, strided_convolutions
from service.model.keras import keras_default_
from service.model.raster_lstm import RasterLstm
from service.model.three_window import ThreeWindowNetwork
from service.types import LABELS


class BhcNetLstm(ThreeWindowNetwork):
    """CNN + LSTM of the binary hemorrhage papers.

    Published: that there is a CNN followed by an LSTM; no sizes. Chosen: the convolutions of
    `BhcNet` to 4x4x64, 16 raster steps, LSTM of 64 units, dropout 0.4, one dense layer. Initial
    values: Keras defaults.
    """

    def __init__(
        self, size: int = 128, outputs: int = len(LABELS), lstm_units: int = CHANNELS
    ) -> None:
        super().__init__(size, outputs)
        self.config["lstm_units"] = lstm_units
        self.convolutions = strided_convolutions(size)
        self.sequence = RasterLstm(CHANNELS, lstm_units)
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(lstm_units, outputs))
        self.apply(keras_default_)

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, size, size) float32 in [0, 1] -> (B, outputs)."""
        logits: Tensor = self.head(self.sequence(self.convolutions(images)))
        return logits
