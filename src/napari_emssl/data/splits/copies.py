"""The flips and quarter turns of a plane, and how copies of one plane are recognised."""

from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)

COPIES = 8
"""Flips and quarter turns of a plane, itself included."""
_PROBES = 64
"""Places at which planes are compared, each with those that flips and turns bring there."""


def turn_plane(plane: NDArray[T], code: int) -> NDArray[T]:
    """Return one of the 8 flips and quarter turns of ``(h, w)``, chosen by `code` in 0..7; a view."""
    turned = np.rot90(plane, code % 4)
    return turned[:, ::-1] if code >= 4 else turned


def key_of_copies(plane: NDArray[np.generic]) -> bytes:
    """Return what all flips and turns of a plane share, and two different images hardly ever."""
    rng, edge = np.random.default_rng(0), min(plane.shape)
    rows, columns = rng.integers(0, edge, _PROBES), rng.integers(0, edge, _PROBES)
    # a flip or turn of the plane only changes the order of its eight flips and turns, and so of the values at a place
    values = np.sort(np.stack([turn_plane(plane, code)[rows, columns] for code in range(COPIES)]), axis=0)
    return blake2b(f"{sorted(plane.shape)}".encode() + values.tobytes(), digest_size=16).digest()
