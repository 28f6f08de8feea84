"""Conditions are drawn within their ranges, each independently of the others."""

import numpy as np
import pytest
from stem_images import QUIET

from napari_emssl.simulation.stem.conditions import draw_conditions, drawn_fields
from napari_emssl.simulation.stem.settings import STEMSettings


def test_what_is_given_is_used_and_moves_no_other_draw() -> None:
    laws = drawn_fields()
    assert set(QUIET) - {"carbon_nm"} <= set(laws)
    free = draw_conditions(STEMSettings(), np.random.default_rng(4))
    fixed = draw_conditions(STEMSettings(probe_tails=0.9, drift_nm=0.5), np.random.default_rng(4))
    assert (fixed.probe_tails, fixed.drift_nm) == (0.9, 0.5)
    same = set(laws) - {"probe_tails", "drift_nm"}
    assert all(getattr(free, name) == getattr(fixed, name) for name in same)


@pytest.mark.parametrize("seed", range(5))
def test_drawn_values_lie_where_the_help_says(seed: int) -> None:
    drawn = draw_conditions(STEMSettings(), np.random.default_rng(seed))
    for name, (low, high, _) in drawn_fields().items():
        assert getattr(drawn, name) <= high
        assert getattr(drawn, name) >= low or name in ("pixel_size_nm", "diameter_nm")
    assert drawn.probe_fwhm_nm >= 2 * drawn.pixel_size_nm - 1e-12
