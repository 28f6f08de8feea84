"""Shapes of crystals: plates, edges, polyhedra, flakes, each as a lower and an upper surface.

Lengths are in nm; points are (y, x).
"""

from collections.abc import Callable

import numpy as np

from ...data.arrays import Floats
from ..hrtem.nanoparticles import roughness
from .columns import Grain, Surfaces
from .conditions import Conditions
from .lattice import Cell

Distance = Callable[[Floats], Floats]
"""Signed distance ``(n,)`` of points ``(n, 2)`` from a line."""

_FACES = np.array([(h, k, m) for h in (-1, 0, 1) for k in (-1, 0, 1) for m in (-1, 0, 1) if (h, k, m) != (0, 0, 0)])
_STEP_NM = 0.12
"""Standard deviation of the surfaces of a plate."""


def slab(cell: Cell, drawn: Conditions, field: tuple[float, float], rng: np.random.Generator) -> Surfaces:
    """Return a plate: whole sheets of a layered crystal, else a wedge whose surfaces are rough.

    Parameters
    ----------
    cell
        The crystal; it says whether it is layered.
    drawn
        Thickness, or number of sheets.
    field
        First and last line of the field along y and x.
    rng
        Source of the slope and the roughness.
    """
    if cell.layer_nm is not None:
        half = cell.layer_nm / 2
        return lambda points: (np.full(len(points), -half), np.full(len(points), (2 * drawn.layers - 1) * half))
    slope = rng.uniform(0, 0.4) / (field[1] - field[0])
    towards, seeds = rng.uniform(0, 2 * np.pi), rng.integers(2**32, size=2)
    middle, ahead = sum(field) / 2, np.array([np.sin(towards), np.cos(towards)])

    def surfaces(points: Floats) -> tuple[Floats, Floats]:
        thickness = drawn.thickness_nm * (1 + slope * ((points - middle) @ ahead))
        bottom, relief = (_relief(points, _STEP_NM, 1.5, int(seed)) for seed in seeds)
        return bottom, np.maximum(thickness + relief, bottom)

    return surfaces


def _relief(points: Floats, amplitude: float, period: float, seed: int) -> Floats:
    """Smooth random field ``(n,)`` over points (y, x); the same seed gives the same field at any points."""
    flat = np.concatenate([np.zeros((len(points), 1)), points], axis=1)
    return roughness(flat, amplitude, period, np.random.default_rng(seed))


def line(field: tuple[float, float], off: float, wave: float, rng: np.random.Generator) -> Distance:
    """Return the distance from a random line across a field.

    Parameters
    ----------
    field
        First and last line of the field along y and x.
    off
        The line passes the middle within this share of the field's edge.
    wave
        Standard deviation of the waves along it.
    rng
        Source of direction, place and waves.

    Returns
    -------
    callable
        Signed distance ``(n,)`` of points ``(n, 2)``.
    """
    towards, seed = rng.uniform(0, 2 * np.pi), int(rng.integers(2**32))
    ahead = np.array([np.sin(towards), np.cos(towards)])
    through = sum(field) / 2 + rng.uniform(-off, off) * (field[1] - field[0]) * ahead
    return lambda points: np.asarray((points - through) @ ahead + _relief(points, wave, 3.0, seed))


def polyhedron(
    cell: Cell, grain: Grain, centre: Floats, radius: float, drawn: Conditions, rng: np.random.Generator
) -> Surfaces:
    """Return a nanoparticle of low-index faces, grown unevenly, its corners more or less round.

    A layered crystal gives a flake of whole sheets instead.

    Parameters
    ----------
    cell
        The crystal.
    grain
        Its orientation.
    centre
        Middle of the particle (y, x).
    radius
        About half the diameter.
    drawn
        Number of sheets of a layered crystal.
    rng
        Source of the faces' distances and of the rounding.
    """
    frame = grain.view.frame.copy()
    frame[1:] = grain.turn.T @ frame[1:]
    normals = _FACES @ np.linalg.inv(cell.vectors).T @ frame.T
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    family = np.abs(_FACES).sum(axis=1) - 1
    distances = radius * rng.uniform(0.85, 1.1, 3)[family] * rng.uniform(0.92, 1.08, len(_FACES))
    ball = radius * rng.uniform(1.0, 1.25)
    if cell.layer_nm is not None:
        return _flake(cell.layer_nm, drawn.layers, normals, distances, centre)
    return lambda points: _between(points - centre, normals, distances, ball)


def _between(points: Floats, normals: Floats, distances: Floats, ball: float) -> tuple[Floats, Floats]:
    """Where vertical lines through points enter and leave a polyhedron within a ball."""
    room = distances - points @ normals[:, 1:].T
    rise = normals[:, 0]
    up, down, upright = rise > 1e-6, rise < -1e-6, np.abs(rise) <= 1e-6
    half = np.sqrt(np.maximum(ball**2 - (points**2).sum(axis=1), 0))
    top = np.minimum((room[:, up] / rise[up]).min(axis=1), half)
    bottom = np.maximum((room[:, down] / rise[down]).max(axis=1), -half)
    top[(room[:, upright] < 0).any(axis=1)] = -np.inf
    return bottom, np.maximum(top, bottom)


def _flake(layer_nm: float, layers: int, normals: Floats, distances: Floats, centre: Floats) -> Surfaces:
    """Whole sheets within a polygon."""
    upright = np.abs(normals[:, 0]) <= 1e-6
    sides, far = normals[upright, 1:], distances[upright]

    def surfaces(points: Floats) -> tuple[Floats, Floats]:
        inside = ((points - centre) @ sides.T <= far).all(axis=1)
        bottom = np.full(len(points), -layer_nm / 2)
        return bottom, bottom + inside * layers * layer_nm

    return surfaces
