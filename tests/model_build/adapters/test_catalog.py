"""The catalog: every kind opens, and what a set is not made for is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from model_build.adapters import catalog
from service.dicom.limits import Caps


@pytest.mark.parametrize("kind", sorted(catalog.SOURCES))
def test_every_kind_opens_and_travels_to_a_worker(tmp_path: Path, kind: str) -> None:
    """Sources are pickled to decode processes; each names its licence and version."""
    source = catalog.open_source(kind, tmp_path)
    assert pickle.loads(pickle.dumps(source)) == source
    assert source.facts.licence
    assert source.facts.version


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    """The kind, the folder, the table; without repeating a path."""
    with pytest.raises(ValueError, match="known: cq500"):
        catalog.open_source("mri", tmp_path)
    for arguments in ((tmp_path / "no",), (tmp_path, tmp_path / "no.csv")):
        with pytest.raises(FileNotFoundError) as caught:
            catalog.open_source("rsna", *arguments)
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("kind", ["kaggle200", "ct_ich_jpeg"])
def test_sets_without_hounsfield_units_are_refused_for_networks_of_hu(
    tmp_path: Path, kind: str
) -> None:
    """`paper` and `plus` window HU; the BHCNet family and the U-Net take grey values."""
    facts = catalog.open_source(kind, tmp_path).facts
    for network in ("conv_lstm", "slice_cnn", "window_series", "densenet121"):
        with pytest.raises(ValueError, match="Hounsfield"):
            catalog.require_usable(facts, network)
    for network in ("bhcnet", "bhcnet_lstm", "cnn_128", "unet"):
        catalog.require_usable(facts, network)
    catalog.require_usable(catalog.open_source("rsna", tmp_path).facts, "conv_lstm")


def test_external_sets_choose_nothing(tmp_path: Path) -> None:
    """CQ500 and CT-ICH: no threshold, epoch or calibration; CQ500 no slice figure."""
    for kind in ("cq500", "ct_ich", "ct_ich_jpeg"):
        with pytest.raises(ValueError, match="external"):
            catalog.require_internal(catalog.open_source(kind, tmp_path).facts)
    catalog.require_internal(catalog.open_source("rsna", tmp_path).facts)
    with pytest.raises(ValueError, match="scans"):
        catalog.require_slice_labels(catalog.open_source("cq500", tmp_path).facts)
    catalog.require_slice_labels(catalog.open_source("ct_ich", tmp_path).facts)


def test_serving_stays_strict() -> None:
    """The tolerance for `ID_...` is off unless an adapter asks for it."""
    assert not Caps().lenient_uids
