"""DenseNet121: the torchvision network behind the three windows.

Sources: Huang et al., Densely Connected Convolutional Networks, CVPR 2017; R. Kumar 2021 for its
use on hemorrhage (see `three_window`).
"""

from __future__ import annotations

import re

from torchvision.models import densenet121  # type: ignore[import-untyped]  # it has no types

from service.model.backbone import BackboneNetwork
from service.model.keras import keras_default_
from service.types import LABELS


class DenseNet121(BackboneNetwork):
    """DenseNet-121 without its top, global average pool, one dense layer.

    Published: this form at 128x128 with Adam 1e-4, started from ImageNet. Chosen: without a weights
    file the convolutions start as torchvision has them (He, as in the DenseNet paper) and the head
    with Keras defaults.
    """

    def __init__(
        self, size: int = 128, outputs: int = len(LABELS), initialisation: str = "random"
    ) -> None:
        backbone = densenet121(weights=None, num_classes=outputs)
        keras_default_(backbone.classifier)
        super().__init__(backbone, size, outputs, initialisation)

    @staticmethod
    def pretrained_key(key: str) -> str:
        """Names of the published file are of an older layout: norm.1 is norm1 today."""
        return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key)
