"""The settings of the input gate are the caps and thresholds of the decode processes."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest

from service.config import MIB, Settings
from service.dicom.limits import Caps, Thresholds
from service.worker import caps_of


def test_the_defaults_are_those_of_the_code() -> None:
    """Two lists of defaults cannot drift apart."""
    assert caps_of(Settings()) == Caps()


@pytest.mark.parametrize("name", [item.name for item in fields(Thresholds)])
def test_every_threshold_is_a_setting(name: str) -> None:
    """What the gate looks at can be set, described and found in the README."""
    assert name in Settings.model_fields


def test_settings_reach_the_caps() -> None:
    """A changed setting changes its cap, and no other."""
    caps = caps_of(Settings(max_slice_bytes=2 * MIB, max_depth=5, kvp_min=90.0, contrast="warn"))
    assert (caps.max_bytes, caps.max_depth) == (2 * MIB, 5)
    assert caps.thresholds == Thresholds(kvp_min=90.0, contrast="warn")
    assert caps.max_elements == Caps().max_elements


def test_an_object_cannot_have_more_frames_than_the_queue_has_places() -> None:
    """It would be refused with "retry later" for ever; so it is too large instead."""
    assert caps_of(Settings(max_files=8, max_queue=8)).max_frames == 8


def test_caps_cross_a_process_boundary() -> None:
    """The decode processes get them as JSON."""
    caps = Caps(max_depth=3, thresholds=Thresholds(lossy="refuse"))
    assert Caps.of(asdict(caps)) == caps
    assert Caps(max_bytes=5, max_object_bytes=3).longest_bytes == 5
