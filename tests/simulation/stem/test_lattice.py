"""Crystals seen along zone axes as columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.errors import UserError
from napari_emssl.simulation.stem.lattice import parse_axis, project
from napari_emssl.simulation.stem.materials import MATERIALS, find_cell


@pytest.mark.parametrize(
    ("name", "axis", "spacing"),
    [
        ("Au", (1, 1, 0), 0.40782 * np.sqrt(6) / 4),
        ("Au", (1, 0, 0), 0.40782 / 2),
        ("Au", (1, 1, 1), 0.40782 / np.sqrt(6)),
        ("Si", (1, 1, 0), 0.5431 / 4),
        ("Fe", (1, 1, 1), 0.28665 * np.sqrt(2 / 3)),
        ("SrTiO3", (1, 0, 0), 0.3905 / 2),
        ("graphene", (0, 0, 1), 0.2461 / np.sqrt(3)),
    ],
)
def test_columns_stand_as_far_apart_as_geometry_says(name: str, axis: tuple[int, int, int], spacing: float) -> None:
    assert project(find_cell(name), axis).spacing_nm == pytest.approx(spacing, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(MATERIALS),
    axis=st.tuples(*[st.integers(-3, 3)] * 3).filter(any),
)
def test_a_projection_keeps_every_atom_and_the_density(name: str, axis: tuple[int, int, int]) -> None:
    cell = find_cell(name)
    view = project(cell, parse_axis(" ".join(map(str, axis))))
    assert sorted(view.numbers) == sorted(cell.numbers)
    assert set(view.column_of) == set(range(len(view.columns)))
    volume = abs(np.linalg.det(view.vectors)) * view.period_nm
    assert volume == pytest.approx(abs(np.linalg.det(cell.vectors)), rel=1e-9)
    np.testing.assert_allclose(view.frame @ view.frame.T, np.eye(3), atol=1e-12)


def test_nodes_are_lattice_points_that_fill_the_field() -> None:
    cell = find_cell("Au")
    view = project(cell, (1, 1, 0))
    corners = np.array([(y, x) for y in (-1.0, 2.0) for x in (0.0, 3.0)])
    nodes, heights = view.nodes(corners)
    crystal = np.column_stack([heights, nodes]) @ view.frame
    cells = crystal @ np.linalg.inv(cell.vectors)
    np.testing.assert_allclose(cells, np.round(cells), atol=1e-9)
    inside = ((nodes >= (-1, 0)) & (nodes <= (2, 3))).all(axis=1)
    assert inside.sum() == pytest.approx(9 / abs(np.linalg.det(view.vectors)), rel=0.1)


@pytest.mark.parametrize(
    ("text", "axis"),
    [("110", (1, 1, 0)), ("1-10", (1, -1, 0)), ("[-1 1 2]", (-1, 1, 2)), ("1, 0, 0", (1, 0, 0)), ("220", (1, 1, 0))],
)
def test_zone_axes_are_read(text: str, axis: tuple[int, int, int]) -> None:
    assert parse_axis(text) == axis


@pytest.mark.parametrize("text", ["", "11", "1100", "abc", "000", "1 2 9", "1.5 0 0", "--1 0 0"])
def test_what_is_no_zone_axis_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a zone axis"):
        parse_axis(text)
