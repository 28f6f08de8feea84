"""Crystals as columns: distances, compositions, zone axes, names, CIF files."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.errors import UserError
from napari_emssl.simulation.stem.lattice import Cell, parse_axis, project
from napari_emssl.simulation.stem.materials import MATERIALS, PROTOTYPES, find_cell

SRTIO3 = """data_SrTiO3
_cell_length_a 3.905
_cell_length_b 3.905
_cell_length_c 3.905
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Sr1 Sr2+ 0 0 0 1
Ti1 Ti4+ .5 .5 .5 1
O1 O2- .5 .5 0 0.75
"""


def neighbours(cell: Cell) -> np.ndarray:
    """Sorted distances of a cell's first atom from all atoms of the cells around."""
    shifts = np.array(list(itertools.product((-2, -1, 0, 1, 2), repeat=3)))
    points = (cell.places[None] + shifts[:, None]).reshape(-1, 3) @ cell.vectors
    return np.sort(np.linalg.norm(points - cell.places[0] @ cell.vectors, axis=1))[1:]


@pytest.mark.parametrize(
    ("name", "count", "distance"),
    [
        ("Au", 12, 0.40782 / np.sqrt(2)),
        ("Fe", 8, 0.28665 * np.sqrt(3) / 2),
        ("Co", 12, 0.2507),
        ("NaCl", 6, 0.28201),
        ("Si", 4, 0.23517),
        ("GaAs", 4, 0.24480),
        ("GaN", 4, 0.195),
        ("SrTiO3", 12, 0.27613),
        ("CeO2", 8, 0.23431),
        ("TiO2", 6, 0.196),
        ("Cu3Au", 12, 0.2650),
        ("graphene", 3, 0.14209),
        ("BN", 3, 0.14457),
        ("MoS2", 6, 0.2418),
    ],
)
def test_first_atoms_have_the_neighbours_of_the_textbook(name: str, count: int, distance: float) -> None:
    near = neighbours(find_cell(name))
    np.testing.assert_allclose(near[:count], distance, rtol=0.012)
    assert near[count] > distance * 1.1


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
    with pytest.raises(UserError, match="is no zone axis"):
        parse_axis(text)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("Unobtainium",), "There is no crystal 'Unobtainium'"),
        (("fcc",), "needs elements and a_nm"),
        (("rock-salt", "Na", 0.56), "has 2 kinds of sites, but 1 elements"),
        (("fcc", "Xx", 0.4), "There is no element 'Xx'"),
        (("Au", "Pt"), "'Au' has its elements already"),
    ],
)
def test_crystals_that_cannot_be_made_say_why(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        find_cell(*arguments)  # type: ignore[arg-type]


def test_kinds_of_structure_take_elements_and_edges() -> None:
    own = find_cell("rock-salt", "Mg, O", 0.42112)
    np.testing.assert_array_equal(own.vectors, find_cell("MgO").vectors)
    np.testing.assert_array_equal(own.numbers, find_cell("MgO").numbers)
    wide = find_cell("wurtzite", "Ga,N", 0.32, 0.52)
    np.testing.assert_allclose(np.linalg.norm(wide.vectors, axis=1), [0.32, 0.32, 0.52])
    strained = find_cell("Au", a_nm=0.42)
    np.testing.assert_allclose(strained.vectors, np.eye(3) * 0.42, atol=1e-15)
    for kind, prototype in PROTOTYPES.items():
        elements = ",".join(["Au", "O", "H"][: len(prototype.sites)])
        assert len(find_cell(kind, elements, 0.4).places) == sum(map(len, prototype.sites))


def test_a_cif_file_is_the_crystal_that_it_describes(tmp_path: Path) -> None:
    pytest.importorskip("gemmi")
    path = tmp_path / "own.cif"
    path.write_text(SRTIO3)
    cell = find_cell(str(path))
    np.testing.assert_allclose(cell.vectors, find_cell("SrTiO3").vectors, atol=1e-12)
    assert sorted(cell.numbers) == [8, 8, 8, 22, 38]
    assert cell.occupancies is not None
    assert set(zip(cell.numbers.tolist(), cell.occupancies.tolist(), strict=True)) == {(8, 0.75), (22, 1), (38, 1)}
    assert project(cell, (1, 0, 0)).spacing_nm == pytest.approx(0.3905 / 2)


def test_cif_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    pytest.importorskip("gemmi")
    nonsense, empty = tmp_path / "nonsense.cif", tmp_path / "empty.cif"
    nonsense.write_text("this is no CIF")
    empty.write_text("data_nothing\n")
    with pytest.raises(UserError, match=r"nonsense\.cif cannot be read as CIF"):
        find_cell(str(nonsense))
    with pytest.raises(UserError, match="holds no crystal"):
        find_cell(str(empty))
    with pytest.raises(UserError, match="There is no file"):
        find_cell(str(tmp_path / "missing.cif"))


def test_a_missing_reader_of_cif_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.cif"
    path.write_text(SRTIO3)
    monkeypatch.setitem(sys.modules, "gemmi", None)
    with pytest.raises(UserError, match=r"gemmi.*napari-emssl\[cif\]"):
        find_cell(str(path))
