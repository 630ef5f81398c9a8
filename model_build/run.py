"""Run: the way of a recipe from nothing to a trained network; `finish` makes a model of it.

phantoms (or another data set) -> cache -> splits -> train -> training.json
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from model_build import checkpoint, splits
from model_build.adapters import catalog
from model_build.adapters.records import SliceSource
from model_build.cache import load
from model_build.config import Recipe
from model_build.distributed import Place
from model_build.slice_set import SliceSet
from model_build.splits import Parts
from model_build.synthetic.generate import generate
from model_build.train import DONE, Trainer
from service.model.denormals import flush_denormals
from service.model.registry import NETWORKS, Network
from service.types import LABELS

TRAINING_FILE = "training.json"
# What the labels rest on, for synthetic data and for all other.
REFERENCE = {
    True: "exact lesion masks of the generator under a visibility rule (area and contrast)",
    False: "the labels that came with the data set",
}


def phantoms(recipe: Recipe, folder: Path, workers: int) -> None:
    """Generate the recipe's phantoms; what is complete already is kept."""
    made = generate(folder, series=recipe.phantom_series, seed=recipe.seed, workers=workers)
    print("\n".join(made.lines()))


def prepare(
    recipe: Recipe, data: Path, cache: Path, workers: int, source: SliceSource | None = None
) -> tuple[SliceSet, Parts]:
    """Decode and split: patients to train, val and test; subvisible slices to none.

    Raises:
        ValueError: the data set may not choose thresholds, has no slice labels or no Hounsfield
            units for this network, or is too small to split.
    """
    found = load(data, cache, workers, source=source)
    catalog.require_internal(found.facts)
    catalog.require_slice_labels(found.facts)
    catalog.require_usable(found.facts, recipe.network)
    parts = splits.split_linked(
        found.patients, found.pixel_hashes, found.labels, recipe.split, recipe.seed
    )
    return found, {name: index[found.usable[index]] for name, index in parts.items()}


def train(recipe: Recipe, source: SliceSet, parts: Parts, folder: Path, place: Place) -> nn.Module:
    """Train, or resume, a recipe in its run folder."""
    trainer = Trainer(recipe, source, parts, folder, place)
    network = trainer.run()
    if place.is_first:
        facts = training_facts(recipe, source, parts, network, trainer.state.seconds, place)
        text = json.dumps(facts, indent=2) + "\n"
        (folder / TRAINING_FILE).write_text(text, encoding="utf-8")
    return network


def training_facts(
    recipe: Recipe,
    source: SliceSet,
    parts: Parts,
    network: nn.Module,
    seconds: dict[str, float],
    place: Place,
) -> dict[str, Any]:
    """What the manifest says of the training: recipe, data counts, duration, hardware."""
    cuda = place.device.type == "cuda"
    synthetic = source.facts.name == "phantoms"
    return {
        "data": "synthetic phantoms of model_build.synthetic" if synthetic else source.facts.name,
        "version": source.facts.version,
        "licence": source.facts.licence,
        "data_sha256": data_hash(source),
        "reference_standard": REFERENCE[synthetic],
        "partition": "patient; patients who share an identical image are one",
        "recipe": asdict(recipe),
        "slices_seen": slices_seen(recipe),
        "initialisation": getattr(network, "config", {}).get("initialisation", "random"),
        "parameters": sum(value.numel() for value in network.parameters() if value.requires_grad),
        "slices": {name: len(index) for name, index in parts.items()},
        "patients": {
            name: len({source.patients[row] for row in index}) for name, index in parts.items()
        },
        "positives": {
            name: dict(zip(LABELS, source.labels[index].sum(axis=0).tolist(), strict=True))
            for name, index in parts.items()
        },
        "left_out": {"subvisible": int((~source.usable).sum()), "refused_by_gate": source.refused},
        "corrections": source.corrections,
        "split": splits.manifest(parts, source.patients),
        "seconds": seconds,
        "hardware": {
            "device": torch.cuda.get_device_name() if cuda else platform.machine(),
            "threads": torch.get_num_threads(),
            "processes": place.world,
        },
        "torch": torch.__version__,
        "finished": datetime.now(UTC).date().isoformat(),
    }


def data_hash(source: SliceSet) -> str:
    """SHA-256 over the hash of every slice's voxels and its labels, in the order of names."""
    digest = hashlib.sha256()
    for row in sorted(range(len(source)), key=lambda row: source.names[row]):
        digest.update(f"{source.names[row]} {source.pixel_hashes[row]} ".encode())
        digest.update(source.labels[row].tobytes())
    return digest.hexdigest()


def slices_seen(recipe: Recipe) -> int:
    """Slices that went through the network while it learned; repeated ones count again."""
    single = (*recipe.window_passes, *recipe.whole_passes, recipe.joint_passes)
    return sum(single) + recipe.sequence_passes


def trained(recipe: Recipe, folder: Path) -> Network:
    """The network of a finished training, in evaluation mode.

    Raises:
        FileNotFoundError: there is no finished training of this recipe.
    """
    state = checkpoint.read(folder)
    if state is None or state.stage != DONE:
        raise FileNotFoundError("there is no finished training of this recipe; run `train` first")
    network = NETWORKS[recipe.network](**configuration(recipe))
    network.load_state_dict(state.networks[recipe.network])
    flush_denormals(network)  # as export does: what is measured is what will be served
    return network.eval()


def configuration(recipe: Recipe) -> dict[str, Any]:
    """Configuration of the recipe's network."""
    if recipe.network == "conv_lstm":
        return {"size": recipe.size, "window_head": True, **recipe.network_config}
    return dict(recipe.network_config)
