"""ResNext50: the torchvision network behind the three windows.

Sources: Xie et al., Aggregated Residual Transformations for Deep Neural Networks, CVPR 2017; the
backbone family of many RSNA 2019 challenge entries.
"""

from __future__ import annotations

from torchvision.models import resnext50_32x4d  # type: ignore[import-untyped]  # it has no types

from service.model.backbone import BackboneNetwork
from service.model.keras import keras_default_
from service.types import LABELS


class ResNext50(BackboneNetwork):
    """ResNeXt-50 32x4d without its top, global average pool, one dense layer.

    Published: the backbone; challenge entries use three windows or three slices as channels at up
    to 512 pixels. Chosen: the three windows of the companions at 224 pixels, the size of ImageNet;
    without a weights file the convolutions start as torchvision has them (He), the head with Keras
    defaults.
    """

    def __init__(
        self, size: int = 224, outputs: int = len(LABELS), initialisation: str = "random"
    ) -> None:
        backbone = resnext50_32x4d(weights=None, num_classes=outputs)
        keras_default_(backbone.fc)
        super().__init__(backbone, size, outputs, initialisation)
