"""Config: what a recipe is. A recipe is data; it is written whole into the manifest it produces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Recipe:
    """One reproducible way from nothing to weights.

    `*_passes` count slices seen, not steps, so that a recipe means the same work at any batch size
    or number of processes; several numbers are cycles of the learning rate. `conv_lstm` trains in
    the paper's stages (window, sequence, joint), every other network in one (`whole_passes`).
    """

    name: str
    seed: int
    phantom_series: int
    batch: int
    learning_rate: float  # Adam, peak; the paper's is 1e-4
    network: str = "conv_lstm"  # name in service.model.registry
    network_config: Mapping[str, Any] = field(default_factory=dict)
    size: int = 512  # pixels; 512 for files (the gate resamples to it), less in tests in memory
    micro_batch: int = 8  # slices that share batch-norm statistics, whatever the processes
    warmup_share: float = 0.05  # linear warm-up, then cosine to a hundredth
    window_passes: tuple[int, ...] = ()  # stage 2: slices seen by the per-window CNN, per cycle
    window_weights: tuple[float, ...] = ()  # how often each window is drawn; empty: all alike
    head_crop: tuple[int, int] | None = None  # stage 2: rows, columns looked at; None: all
    map_weight: float = 0.0  # stage 2: weight of the lesion masks' loss, where masks are known
    sequence_passes: int = 0  # stage 3a: augmented slices whose maps are stored
    head_epochs: int = 0  # stage 3a: epochs of dense layers, LSTM and heads over stored maps
    head_dropout: float = 0.0  # of the stored maps
    head_rate: float = 0.0  # stage 3a: peak rate; 0: learning_rate
    joint_passes: int = 0  # stage 3b: slices seen end to end, at learning_rate / 3
    whole_passes: tuple[int, ...] = ()  # every other network: slices seen, per cycle
    series_epochs: int = 0  # window_series: epochs of its head over the slices of a series
    any_weight: float = 1.0  # of the label `any` in the loss of every other network
    augmentation: str = "standard"  # name in model_build.strengths.STRENGTHS
    auxiliary_weight: float = 0.3  # of the stage-2 head's loss in stage 3
    negatives_per_positive: float = 1.5  # per epoch, drawn afresh; val and test stay as they are
    l2: float = 1e-4  # Keras form on conv and dense kernels: coupled weight decay of twice this
    weight_cap: float = 10.0
    mixed_precision: bool = True  # bf16 autocast; BatchNorm, loss and optimiser stay float32
    split: tuple[float, float, float] = (0.80, 0.08, 0.12)  # train, val, test, by patient
    checkpoint_steps: int = 200
    validation_steps: int = 0  # steps between looks at val; 0: at the end of each cycle only
    validation_slices: int = 400

    def __post_init__(self) -> None:
        """Refuse what could not be trained.

        Raises:
            ValueError: the batch is no multiple of the micro batch.
        """
        if self.batch % self.micro_batch:
            raise ValueError("the batch of a recipe must be a multiple of its micro batch")

    @property
    def parts(self) -> int:
        """Micro batches per step, over all processes."""
        return self.batch // self.micro_batch
