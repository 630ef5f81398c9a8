"""Companion recipes: every network on the same slices, with budgets for two cores.

Windows and sizes are the networks' own; optimiser, schedule, batch and augmentation follow their
papers where those say anything (spec model.md section 10), passes are what two cores can afford.
"""

from __future__ import annotations

from dataclasses import replace

from model_build.config import Recipe

_BASE = Recipe(
    name="base",
    seed=20261122,
    phantom_series=400,
    batch=32,
    micro_batch=16,
    learning_rate=1e-3,
    whole_passes=(12_000,),
    validation_steps=100,
    checkpoint_steps=100,
    augmentation="standard",
    l2=0.0,
)

COMPANIONS: tuple[Recipe, ...] = (
    # The paper's own network at a budget like that of the others; `cpu` is its real recipe.
    replace(
        _BASE,
        name="conv_lstm",
        network="conv_lstm",
        batch=16,
        micro_batch=8,
        learning_rate=2e-3,
        whole_passes=(),
        window_passes=(40_000,),
        map_weight=1.0,
        sequence_passes=3_000,
        head_epochs=15,
        head_dropout=0.2,
        head_rate=3e-4,
        l2=1e-4,
    ),
    # Stage 2 of the paper as a network of its own.
    replace(
        _BASE, name="slice_cnn", network="slice_cnn", whole_passes=(1_200,), batch=8, micro_batch=4
    ),
    # Mushtaq 2021, Anjum & Oberoi 2022: 153 positive to 90 negative images in the second run,
    # which starts from the weights of the first.
    replace(
        _BASE,
        name="bhcnet",
        network="bhcnet",
        whole_passes=(12_000, 12_000),
        augmentation="bhcnet",
        negatives_per_positive=90 / 153,
    ),
    # Anjum & Oberoi 2022: learning rate 1e-3, three of thirty epochs of warm-up, cosine.
    replace(
        _BASE,
        name="bhcnet_lstm",
        network="bhcnet_lstm",
        warmup_share=0.1,
        whole_passes=(24_000,),
        augmentation="bhcnet_lstm",
    ),
    # Kumar 2021: batch 32, no augmentation named.
    replace(_BASE, name="cnn_128", network="cnn_128", whole_passes=(24_000,), augmentation="none"),
    replace(
        _BASE, name="densenet121", network="densenet121", learning_rate=1e-4, augmentation="none"
    ),
    replace(_BASE, name="xception", network="xception", learning_rate=5e-4, augmentation="none"),
    replace(_BASE, name="resnext50", network="resnext50", learning_rate=3e-4),
    # Sreelakshmi et al. 2023 give no reproducible recipe.
    replace(_BASE, name="cnn_rnn", network="cnn_rnn", whole_passes=(24_000,)),
    # Ours: three slices, attention over windows, GRU over the series.
    replace(
        _BASE,
        name="window_series",
        network="window_series",
        network_config={"series": True},
        any_weight=2.0,
        series_epochs=20,
        l2=1e-5,
    ),
)
