"""Paint as a user in a hurry leaves it, drawn from the truth: a few whole particles, their rings, some dabs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Target = NDArray[np.uint8]
Numbers = NDArray[np.int32]

RING_PX, DAB_RADIUS_PX = 3, 6


@dataclass(frozen=True, eq=False)
class Micrograph:
    """An image and its truth."""

    name: str
    image: NDArray[np.number]
    """``(h, w)``."""
    truth: Target
    """Core target ``(h, w)``: 1 background, 2.. classes, 0 what is neither painted nor judged."""
    numbers: Numbers
    """A number for each particle ``(h, w)``, 0 where there is none."""
    paintable: tuple[NDArray[np.integer], ...]
    """For each class that consists of particles, the numbers of those that may be painted, ascending."""

    @property
    def fewest(self) -> int:
        """Particles that may be painted, of the class that has the fewest."""
        return min(map(len, self.paintable))


def paint(micrograph: Micrograph, count: int, rng: np.random.Generator) -> Target:
    """Paint `count` particles of each class, a ring around each of them, and `count` dabs on each kind of background.

    Whatever belongs to no class of particles is a kind of background: the background itself, and classes that are
    layers or supports.

    Parameters
    ----------
    micrograph
        What to paint on.
    count
        Particles of each class, and dabs on each kind of background.
    rng
        Draws the particles, then the dabs. One that begins alike draws the same first particles whatever the count.

    Returns
    -------
    numpy.ndarray
        Core target ``(h, w)``: the truth where it is painted, 0 elsewhere. Particles are painted whole; the ring is
        what lies within 3 steps between neighbouring pixels of a painted particle and belongs to no particle; a dab
        is a disc of 6 px radius around a random pixel of its kind, of which only that kind is painted.

    """
    drawn = np.concatenate([rng.permutation(numbers)[:count] for numbers in micrograph.paintable])
    particles = np.isin(micrograph.numbers, drawn)
    ground = np.where(micrograph.numbers > 0, 0, micrograph.truth)
    painted = particles | (ndimage.binary_dilation(particles, iterations=RING_PX) & (ground > 0))
    for kind in np.unique(ground[ground > 0]):
        painted |= _dabs(ground == kind, count, rng)
    return np.where(painted, micrograph.truth, 0).astype(np.uint8)


def _dabs(ground: NDArray[np.bool_], count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Discs around random pixels of one kind of background, cut to it."""
    mask = np.zeros(ground.shape, bool)
    rows, columns = np.nonzero(ground)
    down, across = np.mgrid[-DAB_RADIUS_PX : DAB_RADIUS_PX + 1, -DAB_RADIUS_PX : DAB_RADIUS_PX + 1]
    disc = np.stack([down, across])[:, down**2 + across**2 <= DAB_RADIUS_PX**2]
    for _ in range(count):
        at = rng.integers(len(rows))
        y, x = disc + np.array([[rows[at]], [columns[at]]])
        inside = (y >= 0) & (y < mask.shape[0]) & (x >= 0) & (x < mask.shape[1])
        mask[y[inside], x[inside]] = True
    return mask & ground
