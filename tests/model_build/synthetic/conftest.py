"""Conftest: one phantom head, built once, with a level pose so that answers are easy to see."""

from __future__ import annotations

import numpy as np
import pytest

from model_build.synthetic.anatomy import Anatomy, build_anatomy
from model_build.synthetic.geometry import head_grid
from model_build.synthetic.subject import draw_subject
from tests.model_build.synthetic.level_head import level_geometry


@pytest.fixture(scope="session")
def head() -> Anatomy:
    """A whole head without lesions."""
    rng = np.random.default_rng(3)
    return build_anatomy(rng, draw_subject(rng), head_grid(level_geometry()))
