"""Tests of the label rule: both limits, bone, fraction and fluid levels, on drawn rectangles."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.synthetic.geometry import Field
from model_build.synthetic.labels import Finding, find, is_positive

_LABEL = 1


def _found(
    area: int = 40,
    blood_hu: float = 60.0,
    noise_hu: float = 4.0,
    fraction: float = 1.0,
    depth_mm: float = 30.0,
) -> Finding:
    """A bar of blood, `area` mm^2, in tissue of 30 HU."""
    hu = np.full((64, 64), 30.0, dtype=np.float32)
    blood = np.zeros((64, 64), dtype=np.float32)
    blood.ravel()[30 * 64 + 2 : 30 * 64 + 2 + area] = fraction
    hu[blood > 0] = blood_hu
    depth = np.full((64, 64), depth_mm, dtype=np.float32)
    return find(hu, depth, {_LABEL: blood}, noise_hu, 1.0)[_LABEL]


@pytest.mark.parametrize(("area", "positive"), [(11, False), (12, True)])
def test_twelve_square_millimetres_decide(area: int, positive: bool) -> None:
    """11 mm^2 of clear blood is subvisible, 12 mm^2 is positive."""
    found = _found(area=area)
    assert found.area_mm2 == area
    assert found.positive is positive
    assert found.subvisible is not positive


@pytest.mark.parametrize(("cnr", "positive"), [(0.9, False), (1.0, True)])
def test_one_noise_sd_of_contrast_decides(cnr: float, positive: bool) -> None:
    """30 HU of contrast in noise of 30 HU is positive, in more noise it is not."""
    found = _found(noise_hu=30.0 / cnr)
    assert found.cnr == pytest.approx(cnr)
    assert found.positive is positive


def test_both_conditions_are_needed() -> None:
    """The rule is an AND with both limits included."""
    assert is_positive(12.0, 1.0)
    assert not is_positive(11.99, 5.0)
    assert not is_positive(500.0, 0.99)


@pytest.mark.parametrize(("fraction", "area"), [(0.49, 0.0), (0.5, 40.0)])
def test_half_of_a_voxel_counts(fraction: float, area: float) -> None:
    """Voxels with less than half blood add no area, but leave a trace."""
    found = _found(fraction=fraction)
    assert found.area_mm2 == area
    assert found.trace


def test_dark_blood_has_contrast_too() -> None:
    """An old subdural of 10 HU differs from tissue of 30 HU by five SD of 4 HU."""
    assert _found(blood_hu=10.0).cnr == pytest.approx(5.0)


def test_a_film_on_the_bone_has_no_density() -> None:
    """Blood that lies only within the bone margin cannot be measured and is not positive."""
    found = _found(depth_mm=0.5, blood_hu=300.0)
    assert np.isnan(found.mean_hu)
    assert found.subvisible


def test_a_fluid_level_does_not_cancel_itself() -> None:
    """15 HU above and 45 HU below average to the tissue between; the halves still show."""
    hu = np.full((40, 40), 30.0, dtype=np.float32)
    blood: Field = np.zeros((40, 40), dtype=np.float32)
    blood[10:20, 10:20] = 1.0
    hu[10:15, 10:20], hu[15:20, 10:20] = 15.0, 45.0
    depth = np.full((40, 40), 30.0, dtype=np.float32)
    found = find(hu, depth, {_LABEL: blood}, 5.0, 1.0)[_LABEL]
    assert found.mean_hu == pytest.approx(30.0)
    assert found.cnr == pytest.approx(3.0)


def test_no_blood_is_neither_positive_nor_subvisible() -> None:
    """An untouched slice carries no trace."""
    found = _found(area=0)
    assert not found.positive
    assert not found.subvisible


def test_tissue_at_the_bone_is_not_the_reference() -> None:
    """Bright partial volume within the bone margin does not raise the level to compare with."""
    hu = np.full((40, 40), 30.0, dtype=np.float32)
    depth = np.full((40, 40), 30.0, dtype=np.float32)
    blood: Field = np.zeros((40, 40), dtype=np.float32)
    blood[10:20, 10:20], hu[10:20, 10:20] = 1.0, 60.0
    hu[:, 20:], depth[:, 20:] = 90.0, 0.5
    assert find(hu, depth, {_LABEL: blood}, 5.0, 1.0)[_LABEL].cnr == pytest.approx(6.0)
