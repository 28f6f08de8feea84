"""Columns of atoms, cut from a crystal in a given orientation.

Lengths are in nm; points are (y, x) from the first pixel's centre, heights grow towards the electron source.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...data.arrays import Floats
from .conditions import Conditions
from .lattice import Projection

Surfaces = Callable[[Floats], tuple[Floats, Floats]]
"""Lower and upper surface ``(n,)`` of a crystal at points ``(n, 2)``; where they meet, there is nothing."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of atoms."""

    places: Floats
    """Where they stand, ``(n, 2)``."""
    strength: Floats
    """Sum of Z to the power of the exponent over the atoms, ``(n,)``."""
    atoms: NDArray[np.int64]
    """Number of atoms, ``(n,)``."""
    charge: NDArray[np.int64]
    """Sum of their atomic numbers, ``(n,)``."""
    lean: Floats
    """From the foot of the column to its head in projection, ``(n, 2)``: not 0 where the crystal is tilted."""

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "Columns":
        return Columns(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def mean_z(self) -> Floats:
        """Mean atomic number of each column, ``(n,)``."""
        return np.asarray(self.charge / self.atoms)


@dataclass(frozen=True, eq=False)
class Grain:
    """A crystal in its orientation, without bounds."""

    view: Projection
    turn: Floats
    """Orthogonal matrix ``(2, 2)`` that turns points (y, x), given as rows."""
    origin: Floats
    """Height, y and x of the lattice's origin."""

    def moved(self, points: Floats) -> Floats:
        """Crystal points (y, x) in the image."""
        return points @ self.turn + self.origin[1:]

    def cut(
        self, field: tuple[float, float], surfaces: Surfaces, drawn: Conditions, rng: np.random.Generator
    ) -> Columns:
        """Cut the columns out that stand in a square field between two surfaces.

        Parameters
        ----------
        field
            First and last line of the field along y and x, in nm.
        surfaces
            Lower and upper surface of the crystal.
        drawn
            Vacancies, disorder, tilt and the exponent of Z.
        rng
            Source of vacancies, disorder and the direction of the tilt.

        Returns
        -------
        Columns
            Those with at least one atom.

        """
        view = self.view
        corners = np.array([(y, x) for y in field for x in field])
        nodes, heights = view.nodes((corners - self.origin[1:]) @ self.turn.T)
        places = self.moved((nodes[:, None] + view.columns).reshape(-1, 2))
        inside = ((places > field[0]) & (places < field[1])).all(axis=1)
        low, high = np.zeros((2, len(places)))
        low[inside], high[inside] = surfaces(places[inside])
        low, high = (surface.reshape(len(nodes), -1)[:, view.column_of] for surface in (low, high))
        feet = heights[:, None] + view.heights + self.origin[0]
        # atoms stand at feet + k period; their number in [low, high) is a difference of two ceilings
        rungs = np.ceil((high - feet) / view.period_nm) - np.ceil((low - feet) / view.period_nm)
        counts = np.maximum(rungs, 0).astype(np.int64)
        if drawn.vacancies or (view.occupancies < 1).any():
            counts = rng.binomial(counts, view.occupancies * (1 - drawn.vacancies))
        return self._columns(places, counts, (high - low).max(axis=1, initial=0), drawn, rng)

    def _columns(
        self, places: Floats, counts: NDArray[np.int64], thick: Floats, drawn: Conditions, rng: np.random.Generator
    ) -> Columns:
        """Add up the atoms of each column, leave out empty ones, tilt and disturb the rest."""
        view = self.view
        member = np.eye(len(view.columns))[view.column_of]  # (s, c): which column of the cell each atom belongs to
        powers = (view.numbers**drawn.z_exponent)[:, None] * member
        atoms = (counts @ member.astype(np.int64)).ravel()
        charge = (counts @ (view.numbers[:, None] * member.astype(np.int64))).ravel()
        towards = rng.uniform(0, 2 * np.pi)
        tilt = np.tan(np.deg2rad(drawn.tilt_deg)) * np.array([np.sin(towards), np.cos(towards)])
        lean = np.repeat(thick, len(view.columns))[:, None] * tilt
        places = places + rng.normal(0, drawn.disorder_nm, places.shape)
        return Columns(places, (counts @ powers).ravel(), atoms, charge, lean)[atoms > 0]


def rotation(angle: float) -> Floats:
    """Return the matrix ``(2, 2)`` that turns points (y, x), given as rows, by an angle in rad."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([(cos, sin), (-sin, cos)])


def kept_apart(columns: Columns, others: Columns, least_nm: float) -> Columns:
    """Leave out columns that stand too close to others.

    Parameters
    ----------
    columns
        Those of which some may be left out.
    others
        Those that stay.
    least_nm
        Least distance between one of the first and one of the second.
    """
    if not others.atoms.size or not columns.atoms.size:
        return columns
    return columns[cKDTree(others.places).query(columns.places)[0] >= least_nm]


def concatenated(parts: Sequence[Columns]) -> Columns:
    """Return the columns of all parts, one part after the other."""
    return Columns(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Columns)))


def mirrored(grain: Grain, near: Floats) -> tuple[Callable[[Floats], Floats], Grain]:
    """Mirror a grain across its densest line of columns close to a point: a twin.

    Returns
    -------
    side, twin
        Signed distance of points ``(n, 2)`` from the line, and the grain beyond it.

    """
    edges = grain.view.vectors @ grain.turn
    shifts = np.array([(1, 0), (0, 1), (1, 1), (1, -1)]) @ edges
    along = shifts[np.argmin(np.linalg.norm(shifts, axis=1))]
    normal = np.array([-along[1], along[0]]) / np.linalg.norm(along)
    cells = np.round((near - grain.origin[1:]) @ np.linalg.inv(edges))
    through = grain.moved(cells @ grain.view.vectors + grain.view.columns[0])
    origin = grain.origin.copy()
    origin[1:] -= 2 * ((origin[1:] - through) @ normal) * normal
    twin = Grain(grain.view, grain.turn @ (np.eye(2) - 2 * np.outer(normal, normal)), origin)
    return lambda points: np.asarray((points - through) @ normal), twin
