"""How the objects of one kind lie to each other: strewn, packed side by side, or in clusters."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Arrangement = Literal["strewn", "packed", "clustered"]


def packed_centres(size: int, radius_px: float, most: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return centres ``(n, 2)`` on a lattice with faults, of a whole layer or of an island of it.

    Parameters
    ----------
    size
        Edge of the collage in pixels.
    radius_px
        Of the objects.
    most
        Objects at the most; those nearest to a random place are kept.
    rng
        Decides the lattice, its direction, and its faults.

    """
    spacing = 2 * radius_px * rng.uniform(0.96, 1.25)
    row = spacing * (np.sqrt(3) / 2 if rng.random() < 0.75 else 1.0)  # hexagonal or square
    steps = np.arange(-int(size / row) - 2, int(size / row) + 3)
    rows, columns = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    shift = 0.5 * (rows % 2) if row < spacing else 0.0
    grid = np.column_stack([rows * row, (columns + shift) * spacing])
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centres = grid @ turn + rng.uniform(0, size, 2) + rng.normal(0, radius_px * rng.uniform(0, 0.15), grid.shape)
    centres = centres[rng.random(len(centres)) > rng.uniform(0, 0.25) * (rng.random() < 0.5)]
    inside = ((centres > -radius_px) & (centres < size + radius_px)).all(1)
    middle = rng.uniform(0, size, 2)
    nearest = np.argsort(((centres[inside] - middle) ** 2).sum(1))[:most]
    return np.asarray(centres[inside][nearest], np.float32)


def clustered_centres(size: int, radii_px: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return centres ``(n, 2)`` of objects that grew onto each other, in one cluster or several.

    Parameters
    ----------
    size
        Edge of the collage in pixels.
    radii_px
        Of the objects, ``(n,)``.
    rng
        Decides how many clusters there are and how closely their objects touch.

    """
    clusters = int(rng.integers(1, 5))
    closeness = rng.uniform(0.8, 1.1)
    centres = rng.uniform(0, size, (len(radii_px), 2))
    for number in range(clusters, len(radii_px)):
        onto = int(rng.integers(number))
        reach = closeness * (radii_px[number] + radii_px[onto])
        angles = rng.uniform(0, 2 * np.pi, 6)
        tried = centres[onto] + reach * np.column_stack([np.sin(angles), np.cos(angles)])
        apart = np.hypot(*(tried[:, None] - centres[None, :number]).transpose(2, 0, 1))
        room = (apart / (radii_px[number] + radii_px[:number])).min(1)
        centres[number] = tried[int(room.argmax())]
    return np.asarray(centres, np.float32)
