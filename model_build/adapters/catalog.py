"""Catalog: the data sets by name, and what each may be used for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from model_build.adapters.cq500 import Cq500Source
from model_build.adapters.ct_ich import CtIchSource
from model_build.adapters.ct_ich_jpeg import CtIchJpegSource
from model_build.adapters.kaggle200 import Kaggle200Source
from model_build.adapters.records import SliceSource, SourceFacts
from model_build.adapters.rsna import RsnaSource

# Networks of 8-bit pictures (model.md sections 10.1, 10.2 and 10.4); all others need HU.
GREY_NETWORKS = frozenset({"bhcnet", "bhcnet_lstm", "cnn_128", "unet"})

_Opener = Callable[[Path, Path | None, int], SliceSource]
SOURCES: Mapping[str, _Opener] = {
    "phantoms": lambda root, labels, _: RsnaSource(root, labels),
    "rsna": lambda root, labels, _: RsnaSource(root, labels),
    "rsna_512": lambda root, labels, _: RsnaSource(root, labels, only_512=True),
    "ct_ich": lambda root, labels, _: CtIchSource(root, labels),
    "ct_ich_jpeg": lambda root, labels, _: CtIchJpegSource(root, labels),
    "cq500": Cq500Source,
    "kaggle200": lambda root, labels, _: Kaggle200Source(root, labels),
}


def open_source(kind: str, root: Path, labels: Path | None = None, workers: int = 1) -> SliceSource:
    """The data set of a kind in a folder; nothing is read yet.

    Raises:
        ValueError: there is no such kind.
        FileNotFoundError: the folder or the label table does not exist.
    """
    if kind not in SOURCES:
        raise ValueError(f"unknown data set {kind}; known: {', '.join(sorted(SOURCES))}")
    if not root.is_dir():
        raise FileNotFoundError(f"the folder of {kind} does not exist")
    if labels is not None and not labels.exists():
        raise FileNotFoundError(f"the label table of {kind} does not exist")
    return SOURCES[kind](root, labels, workers)


def require_usable(facts: SourceFacts, network: str) -> None:
    """Refuse a set without Hounsfield units to a network that windows them.

    Raises:
        ValueError: it has none and the network needs them.
    """
    if not facts.hounsfield and network not in GREY_NETWORKS:
        raise ValueError(f"{facts.name} has no Hounsfield units: {network} cannot be used on it")


def require_internal(facts: SourceFacts) -> None:
    """Refuse an external set for choosing thresholds, epochs or calibration (rule 7).

    Raises:
        ValueError: the set is external.
    """
    if facts.external:
        raise ValueError(f"{facts.name} is an external set: it chooses no threshold and no epoch")


def require_slice_labels(facts: SourceFacts) -> None:
    """Refuse slice metrics where labels speak of whole scans.

    Raises:
        ValueError: labels are those of scans.
    """
    if facts.label_level == "scan":
        raise ValueError(f"{facts.name} labels whole scans: it has series figures only")
