"""Crystals by name: distances, compositions, kinds of structure."""

import itertools

import numpy as np
import pytest

from napari_emssl.errors import UserError
from napari_emssl.simulation.stem.lattice import Cell
from napari_emssl.simulation.stem.materials import PROTOTYPES, find_cell


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
