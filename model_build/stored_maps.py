"""StoredMaps: maps of all ten windows of some thousand slices, computed once for stage 3a.

The convolutions are 91 % of the work of a slice; behind them an epoch takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_build.dataset import View
from model_build.inference import maps_of
from model_build.training import Training
from service.model.conv_lstm import ConvLstm


def choose(training: Training, count: int, seed: Sequence[int]) -> npt.NDArray[np.intp]:
    """As many slices as asked for, epoch after epoch; a repeated one is augmented anew."""
    chosen = np.empty(0, dtype=np.intp)
    while len(chosen) < count:
        order = training.epochs.order((*seed, len(chosen)))
        chosen = np.concatenate([chosen, order])
    return chosen[:count]


def compute(
    network: ConvLstm, training: Training, rows: npt.NDArray[np.intp], view: View
) -> Tensor:
    """Maps (len(rows), 10, 800) bfloat16 of slices, computed by all processes together."""
    mine = np.arange(len(rows))[training.place.rank :: training.place.world]
    found = maps_of(network, training, rows, mine, view)
    whole = torch.zeros(len(rows), *found.shape[1:])
    whole[torch.from_numpy(mine)] = found
    return training.place.summed(whole).to(torch.bfloat16)
