"""Outputs: all that evaluation needs of a network on some slices, from one pass through it.

Conv-LSTM    slices -> trunk features (N, 10, 128) -> logits, window logits, last LSTM state
other        slices -> logits and what the last layer reads
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_build.embedding import LAST_INPUT, LAST_STATE, last_states
from model_build.inference import embedded_of, features_of
from model_build.slice_set import SliceSet
from service.model.conv_lstm import ConvLstm
from service.model.registry import Network
from service.types import LABELS

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a network says of N slices.

    Attributes:
        logits: (N, 6) float32, before calibration.
        embedding: (N, D) float32.
        embedding_name: which numbers of the network the embedding is.
        window_logits: (N, 10, 6) of the stage-2 head; None for networks that have none.
        features: (N, 10, 128) trunk features on the CPU; of the Conv-LSTM only.
    """

    logits: Floats
    embedding: Floats
    embedding_name: str
    window_logits: Floats | None = None
    features: Tensor | None = None


def outputs_of(
    network: Network,
    source: SliceSet,
    rows: npt.NDArray[np.intp],
    device: torch.device,
    *,
    progress: bool = True,
) -> Outputs:
    """Run a network once over some slices, as the service would, and keep what it says."""
    if not isinstance(network, ConvLstm):
        logits, embedding = embedded_of(network, source, rows, device, progress=progress)
        return Outputs(logits, embedding, f"{LAST_INPUT}, {embedding.shape[1]} numbers")
    features = features_of(network, source, rows, device, mixed_precision=False, progress=progress)
    with torch.inference_mode():
        near = features.to(device)
        logits = network.sequence_logits(near).cpu().numpy()
        heard = network.window_head is not None
        window_logits = network.window_logits(near).cpu().numpy() if heard else None
    embedding = last_states(network, features).numpy()
    name = f"{LAST_STATE}, {embedding.shape[1]} numbers"
    return Outputs(logits, embedding, name, window_logits, features)


def unlabelled(voxels: npt.NDArray[np.int16], window: tuple[float, float]) -> SliceSet:
    """Slices (N, S, S) in HU that belong to no data set, all with one default window."""
    count = len(voxels)
    return SliceSet(
        voxels=voxels,
        windows=np.tile(np.array(window, np.float32), (count, 1)),
        labels=np.zeros((count, len(LABELS)), np.uint8),
        patients=tuple(f"unlabelled{row}" for row in range(count)),
        usable=np.ones(count, np.bool_),
        refused={},
    )
