"""Export: network + manifest + golden vectors -> model folder -> BentoML model store.

A model folder is complete and self-checking (see `service.artifact`); the store holds copies.
The pretrained folder of the repository is imported by the same code, hash first.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from service.artifact import (
    GOLDEN_FILE,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    ArtifactError,
    Manifest,
    sha256_of,
    verify_folder,
)
from service.model.denormals import flush_denormals
from service.model.registry import Network, build, describe
from service.types import LABELS

MODEL_NAME = "ich_convlstm"
PRETRAINED = Path(__file__).parent / "pretrained" / "conv_lstm"
# Largest difference of a logit between machines at one precision; golden replay refuses more.
TOLERANCE: Mapping[str, float] = {"float32": 2e-3, "bfloat16": 0.25}


def write_folder(
    folder: Path,
    network: Network,
    name: str,
    version: str,
    golden: tuple[Tensor, Tensor],
    facts: Mapping[str, Any],
) -> Manifest:
    """Write weights, golden vectors and manifest of a trained network.

    Args:
        folder: replaced if it exists.
        network: in evaluation mode, on the CPU, float32.
        name: its name in the registry.
        version: of the model, for people.
        golden: voxels int16 (N, 512, 512) in HU and windows float32 (N, 2).
        facts: thresholds, temperatures, biases, training, evaluation (fields of the manifest).
    """
    flush_denormals(network)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    weights = {key: value.contiguous().clone() for key, value in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS_FILE)
    voxels, windows = golden
    with torch.inference_mode():
        rows = [network(voxels[i : i + 1], windows[i : i + 1]) for i in range(len(voxels))]
    vectors = {"voxels_hu": voxels, "windows": windows, "logits": torch.cat(rows).clone()}
    save_file(vectors, folder / GOLDEN_FILE)
    for file in (WEIGHTS_FILE, GOLDEN_FILE):
        (folder / file).chmod(0o644)  # safetensors writes for the owner alone; containers are not
    manifest = Manifest(
        name=MODEL_NAME if name == "conv_lstm" else f"ich_{name}",
        version=version,
        network=describe(name, network),
        labels=LABELS,
        weights_sha256=sha256_of(folder / WEIGHTS_FILE),
        golden_sha256=sha256_of(folder / GOLDEN_FILE),
        golden_tolerance=dict(TOLERANCE),
        **facts,
    )
    write_manifest(folder, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Manifest, **changes: Any) -> Manifest:  # noqa: ANN401
    """Write the manifest of a folder, with some of its fields replaced."""
    changed = replace(manifest, **changes)
    (folder / MANIFEST_FILE).write_text(changed.to_json(), encoding="utf-8")
    return changed


def store_tag(manifest: Manifest, name: str = MODEL_NAME) -> str:
    """Tag of a model in the store: its version and its weights, so equal tags are equal models."""
    return f"{name}:{manifest.version}-{manifest.weights_sha256[:8]}"


def save_to_store(folder: Path, name: str = MODEL_NAME) -> str:
    """Copy a verified model folder into the BentoML store; nothing happens if it is there.

    Args:
        folder: the model folder.
        name: in the store. Only the pretrained model has the name that is served by default, so
            that a try-out of the training never answers for it.

    Returns:
        The tag.

    Raises:
        ArtifactError: a file of the folder is missing or its hash differs.
    """
    import bentoml  # slow to import, and only this command needs it

    manifest = verify_folder(folder)
    tag = store_tag(manifest, name)
    stored = [model for model in bentoml.models.list() if str(model.tag) == tag]
    if stored and stored[0].info.metadata.get("weights_sha256") == manifest.weights_sha256:
        return tag
    metadata = {
        "weights_sha256": manifest.weights_sha256,
        "fingerprint": manifest.fingerprint(),
        "notice": manifest.notice,
    }
    labels = {"network": str(manifest.network["name"])}
    with bentoml.models.create(tag, labels=labels, metadata=metadata) as ref:
        for file in (WEIGHTS_FILE, GOLDEN_FILE, MANIFEST_FILE):
            shutil.copyfile(folder / file, ref.path_of(file))
    return tag


def model_folder(model: str) -> Path:
    """The folder of a model: a folder as it is, else what the BentoML store has under the tag.

    Raises:
        ArtifactError: neither a folder nor a tag of the store.
    """
    if Path(model).is_dir():
        return Path(model)
    import bentoml  # slow to import, and a folder does not need it
    from bentoml.exceptions import BentoMLException

    try:
        return Path(bentoml.models.get(model).path)
    except (BentoMLException, ValueError) as error:
        raise ArtifactError(f"{model} is neither a folder nor a model of the store") from error


def load_folder(folder: Path) -> tuple[Manifest, Network]:
    """Verify a model folder, hash by hash, and rebuild its network in evaluation mode.

    Raises:
        ArtifactError: a file is missing, its hash differs, or the weights do not fit.
    """
    manifest = verify_folder(folder)
    try:
        network = build(manifest.network)
        network.load_state_dict(load_file(folder / WEIGHTS_FILE), strict=True)
    except (ValueError, RuntimeError) as error:
        raise ArtifactError("the weights do not fit the network of the manifest") from error
    flush_denormals(network)  # folders written before they were flushed
    return manifest, network.eval()
