"""Squares cut out of planes, over their border too."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.data.patches.labelled import cut


@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_cut_over_the_border_mirrors_or_fills_with_zero(top: int, left: int, edge: int) -> None:
    plane = np.arange(1, 31).reshape(5, 6)
    mirrored, filled = (cut(plane, (top, left), edge, fill) for fill in ("reflect", "zero"))
    assert mirrored.shape == filled.shape == (edge, edge)
    assert (mirrored > 0).all()
    for row, column in ((0, 0), (edge - 1, edge - 1)):
        at = row + top, column + left
        within = 0 <= at[0] < 5 and 0 <= at[1] < 6
        assert filled[row, column] == (plane[at] if within else 0)
        if within:
            assert mirrored[row, column] == plane[at]
