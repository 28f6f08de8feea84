"""Sizes as found beside sizes as painted."""

import numpy as np
import pytest

from napari_emssl.training.in_context.paint_sizes import diameter_ratios, size_notice


def discs(radius: float, centres: list[tuple[int, int]], value: int) -> np.ndarray:
    y, x = np.mgrid[:160, :200]
    inside = np.logical_or.reduce([np.hypot(y - row, x - column) < radius for row, column in centres])
    return np.where(inside, value, 0).astype(np.uint8)


CENTRES = [(40, 40), (40, 120), (110, 60)]


@pytest.mark.parametrize(("radius", "says"), [(12, ""), (13.2, "% wider"), (10.8, "% narrower")])
def test_a_difference_is_said(radius: float, says: str) -> None:
    painted = discs(12, CENTRES, 2)
    painted[painted == 0] = 1
    found = discs(radius, [*CENTRES, (110, 150)], 1)
    assert list(diameter_ratios(painted, found)) == pytest.approx([radius / 12] * 3, rel=0.03)
    assert (says in size_notice(painted, found)) if says else not size_notice(painted, found)


def test_what_merged_lies_at_the_border_or_is_not_found_is_not_compared() -> None:
    painted = discs(12, [(40, 40), (5, 100), (110, 60)], 2)
    found = discs(14, [(40, 40), (40, 62), (5, 100)], 1)
    assert list(diameter_ratios(painted, found)) == []
    assert size_notice(painted, found) == ""


def test_classes_are_compared_each_with_its_own() -> None:
    painted = np.maximum(discs(12, [(40, 40)], 2), discs(10, [(110, 60)], 3))
    found = np.maximum(discs(12, [(40, 40)], 1), discs(12, [(110, 60)], 2))
    assert list(diameter_ratios(painted, found)) == pytest.approx([1.0, 1.2], rel=0.03)
