"""Xception: the timm network behind the three windows; the package timm is needed to build it.

Sources: Chollet, Xception: Deep Learning with Depthwise Separable Convolutions, CVPR 2017;
R. Kumar 2021 for its use on hemorrhage (see `three_window`).
"""

from __future__ import annotations

from importlib import import_module
from typing import ClassVar

from torch import nn

from service.model.backbone import BackboneNetwork
from service.model.keras import keras_default_
from service.types import LABELS

DROPOUT = 0.15


class Xception(BackboneNetwork):
    """Xception without its top, global average pool, dropout 0.15, one dense layer.

    Published: this form at 128x128 with Adam 5e-4, started from ImageNet; images scaled to -1..1.
    Chosen: without a weights file the convolutions start as timm has them (He) and the head with
    Keras defaults.
    """

    MEAN: ClassVar[tuple[float, ...]] = (0.5, 0.5, 0.5)
    DEVIATION: ClassVar[tuple[float, ...]] = (0.5, 0.5, 0.5)

    def __init__(
        self, size: int = 128, outputs: int = len(LABELS), initialisation: str = "random"
    ) -> None:
        super().__init__(_backbone(outputs), size, outputs, initialisation)


def _backbone(outputs: int) -> nn.Module:
    """Xception of timm, which serving does not install.

    Raises:
        ImportError: timm is absent.
    """
    try:
        timm = import_module("timm")
    except ImportError as error:
        raise ImportError("the network xception needs the package timm to be installed") from error
    made = timm.create_model(
        "legacy_xception", pretrained=False, num_classes=outputs, drop_rate=DROPOUT
    )
    keras_default_(made.fc)
    backbone: nn.Module = made
    return backbone
