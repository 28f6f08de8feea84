"""Crystals as lattices, and what the beam sees of them: atoms lined up in columns along a zone axis.

Lengths are in nm. Points in the image plane are (y, x), heights grow towards the electron source.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats
from ...errors import UserError

ZoneAxis = tuple[int, int, int]

_NAMES = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm"
)
SYMBOLS = tuple(_NAMES.split())
"""Chemical symbols; the first has atomic number 1."""

_SAME_COLUMN_NM = 0.02
"""Atoms whose projections are closer than this share a column."""
_LARGEST_INDEX = 5


@dataclass(frozen=True, eq=False)
class Cell:
    """A unit cell and what is in it."""

    name: str
    vectors: Floats
    """Edges of the cell as rows, ``(3, 3)``."""
    places: Floats
    """Atoms ``(m, 3)``, in fractions of the edges."""
    numbers: NDArray[np.int64]
    """Their atomic numbers ``(m,)``."""
    zone_axes: tuple[ZoneAxis, ...] = ((0, 0, 1), (1, 1, 0), (1, 1, 1))
    """Directions [uvw] along which it is usually viewed."""
    occupancies: Floats | None = None
    """Share of each site that is filled, ``(m,)``; None: all."""
    layer_nm: float | None = None
    """Distance of the sheets of a layered material, the first of which lies at height 0; None: not layered."""


@dataclass(frozen=True, eq=False)
class Projection:
    """A crystal seen along a zone axis: a plane lattice of columns, and the atoms that repeat along them."""

    vectors: Floats
    """Edges of the projected cell as rows (y, x), ``(2, 2)``."""
    steps: Floats
    """Height gained along each edge, ``(2,)``."""
    period_nm: float
    """Distance along a column after which everything repeats."""
    columns: Floats
    """Columns of a cell ``(c, 2)``, (y, x)."""
    column_of: NDArray[np.int64]
    """Column of each atom of a cell, ``(s,)``."""
    heights: Floats
    """Height of each atom, ``(s,)``."""
    numbers: NDArray[np.int64]
    """Atomic numbers ``(s,)``."""
    occupancies: Floats
    """Share of each site that is filled, ``(s,)``."""
    frame: Floats
    """Rows give the height, y and x of a vector of the crystal, ``(3, 3)``."""

    def nodes(self, corners: Floats) -> tuple[Floats, Floats]:
        """Return the lattice points that fill the hull of `corners` ``(m, 2)``, and their heights.

        Points are (y, x) ``(n, 2)``, heights ``(n,)``, all in nm; some lie beyond the hull.
        """
        reach = corners @ np.linalg.inv(self.vectors)
        low, high = np.floor(reach.min(axis=0)) - 1, np.ceil(reach.max(axis=0)) + 1
        first, second = np.meshgrid(*[np.arange(a, b + 1) for a, b in zip(low, high, strict=True)], indexing="ij")
        index = np.stack([first.ravel(), second.ravel()], axis=1)
        return index @ self.vectors, index @ self.steps

    @property
    def spacing_nm(self) -> float:
        """Least distance of two columns."""
        shifts = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]) @ self.vectors
        apart = self.columns[:, None, None] - self.columns[None, :, None] + shifts
        distance = np.linalg.norm(apart, axis=-1)
        return float(distance[distance > 1e-6].min())


def atomic_number(symbol: str) -> int:
    """Return the atomic number of an element.

    Raises
    ------
    UserError
        If there is no such element.

    """
    if symbol not in SYMBOLS:
        raise UserError(f"There is no element '{symbol}'. Write its symbol, for example Au or Sr.")
    return SYMBOLS.index(symbol) + 1


def parse_axis(text: str) -> ZoneAxis:
    """Read a zone axis such as ``110``, ``1-10`` or ``1 -1 2``: three whole numbers of up to 5, not all 0.

    Raises
    ------
    UserError
        If it is none.

    """
    compact = re.fullmatch(r"(-?\d)(-?\d)(-?\d)", text.strip("[]<> "))
    words = compact.groups() if compact else re.split(r"[\s,]+", text.strip("[]<> "))
    axis = [int(word) for word in words] if all(re.fullmatch(r"-?\d+", word) for word in words) else []
    if len(axis) != 3 or not any(axis) or max(map(abs, axis)) > _LARGEST_INDEX:
        raise UserError(
            f"'{text}' is not a zone axis. Write three whole numbers from -{_LARGEST_INDEX} to {_LARGEST_INDEX}, "
            "not all 0, for example 110 or 1,-1,2."
        )
    divisor = gcd(*axis)
    return (axis[0] // divisor, axis[1] // divisor, axis[2] // divisor)


def cell_vectors(lengths_nm: Sequence[float], angles_deg: Sequence[float] = (90, 90, 90)) -> Floats:
    """Return the edges of a cell as rows ``(3, 3)``: a along the first axis, b in the plane of the first two."""
    a, b, c = lengths_nm
    cos_alpha, cos_beta, cos_gamma = np.cos(np.deg2rad(angles_deg))
    sin_gamma = np.sqrt(1 - cos_gamma**2)
    lift = (cos_alpha - cos_beta * cos_gamma) / sin_gamma
    rows = [(a, 0, 0), (b * cos_gamma, b * sin_gamma, 0)]
    return np.array([*rows, (c * cos_beta, c * lift, c * np.sqrt(1 - cos_beta**2 - lift**2))])


@lru_cache(maxsize=256)
def project(cell: Cell, axis: ZoneAxis) -> Projection:
    """Look at a crystal along the direction u a + v b + w c.

    Atoms whose projections lie within 0.02 nm of each other share a column.

    Raises
    ------
    UserError
        If no lattice can be found in the plane across the axis.

    """
    frame = _frame(np.asarray(axis) @ cell.vectors)
    height, plane = cell.vectors @ frame[0], cell.vectors @ frame[1:].T
    edges = _plane_basis(axis, plane, cell.name)
    vectors, steps = edges @ plane, edges @ height
    fractions = (cell.places @ plane) @ np.linalg.inv(vectors)
    whole = np.floor(fractions + 1e-6)  # 1e-6: a place on the edge of the cell belongs to one cell, not to two
    fractions, heights = fractions - whole, cell.places @ height - whole @ steps
    columns, column_of, heights = _gather(fractions, heights, vectors, steps)
    period = float(np.linalg.norm(np.asarray(axis) @ cell.vectors))
    filled = np.ones(len(heights)) if cell.occupancies is None else cell.occupancies
    return Projection(vectors, steps, period, columns, column_of, heights, cell.numbers, filled, frame)


def _frame(up: Floats) -> Floats:
    """Axes (z, y, x) of the image in those of the crystal, as rows; right-handed."""
    up = up / np.linalg.norm(up)
    side = np.cross(np.eye(3)[np.argmin(np.abs(up))], up)
    side /= np.linalg.norm(side)
    return np.stack([up, np.cross(up, side), side])


def _plane_basis(axis: ZoneAxis, plane: Floats, name: str) -> NDArray[np.int64]:
    """Two lattice directions ``(2, 3)`` that make up a whole cell with the axis and are shortest in projection."""
    reach = max(map(abs, axis)) + 1
    index = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    index = index[np.argsort(np.abs(index).sum(axis=1), kind="stable")]
    seen, first = np.unique(np.round(index @ plane, 7), axis=0, return_index=True)
    index, length = index[first], np.linalg.norm(seen, axis=1)
    index, length = index[length > 1e-6], length[length > 1e-6]
    # the axis and two directions make up a whole cell when their determinant is 1 or -1
    volume = np.einsum("pi,qi->pq", index, np.cross(index, np.asarray(axis)))
    cost = np.where(np.abs(volume) == 1, length[:, None] + length[None, :], np.inf)
    if not np.isfinite(cost).any():
        raise UserError(f"'{name}' cannot be drawn along {axis}. Choose a zone axis with smaller indices.")
    chosen: NDArray[np.int64] = index[list(np.unravel_index(np.argmin(cost), cost.shape))]
    return chosen


def _gather(
    fractions: Floats, heights: Floats, vectors: Floats, steps: Floats
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Columns ``(c, 2)``, the column of each atom, and the atoms' heights where the column stands."""
    places: list[Floats] = []
    column_of, moved = np.zeros(len(fractions), np.int64), heights.copy()
    for i, place in enumerate(fractions):
        for j, other in enumerate(places):
            cells = np.round(place - other)
            if np.linalg.norm((place - other - cells) @ vectors) < _SAME_COLUMN_NM:
                column_of[i], moved[i] = j, heights[i] - cells @ steps
                break
        else:
            column_of[i] = len(places)
            places.append(place)
    return np.array(places) @ vectors, column_of, moved
