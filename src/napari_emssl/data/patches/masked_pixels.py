"""Hidden pixels: what a network learns to restore when all it has is one noisy image.

Noise2Void (Krull et al. 2019, arXiv 1811.10980): some pixels are replaced by others of their surroundings and the
network is asked for their true values. Independent noise cannot be predicted from the surroundings, structure can.
Noise that reaches over several pixels can be predicted from its neighbours, so these are hidden too (structured
Noise2Void, Broaddus et al. 2020): how far it reaches along either axis is measured.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from .corruption import turn
from .labelled import LabelledPlane, cut
from .paired_patches import PairPatches

Floats = NDArray[np.float32]

_MOST_REACH_PX = 6
_CORRELATED = 0.1
"""Noise of two pixels is independent for our purposes below this correlation."""
_NO_SMOOTH = (1.0, -4.0, 6.0, -4.0, 1.0)
"""Fourth difference: next to nothing of a structure wider than some pixels is left."""
_LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_SPACING_PX = 4
"""Pixels hidden along an axis, on average one out of this many, besides those within reach."""
_AROUND_PX = 2
_ATTEMPTS = 8
_ALONG_AXES = (0, 2, 4, 6)
"""Codes of flips and turns that keep rows rows."""


def noise_reach(plane: NDArray[np.generic]) -> tuple[int, int]:
    """Measure over how many pixels noise is correlated, down and along the lines of a plane ``(h, w)``.

    The fourth difference along one axis takes the structure away; what is left is compared with itself along the other,
    by signs, so that bright places count no more than others.
    """
    values = np.nan_to_num(np.asarray(plane, np.float32), posinf=0, neginf=0)
    return _reach(values.T), _reach(values)


def _reach(plane: Floats) -> int:
    """Largest distance along lines up to which noise is correlated."""
    rest = sum(weight * plane[n : len(plane) - 4 + n] for n, weight in enumerate(_NO_SMOOTH)) if len(plane) > 4 else 0
    signs = np.sign(np.asarray(rest, np.float32))
    for lag in range(1, _MOST_REACH_PX + 1):
        if signs.ndim < 2 or signs.shape[1] <= lag:
            return lag - 1
        agreement = float((signs[:, lag:] * signs[:, :-lag]).mean())
        if np.sin(np.pi / 2 * agreement) < _CORRELATED:  # correlation of normal variables from that of their signs
            return lag - 1
    return _MOST_REACH_PX


def noise_variance(plane: NDArray[np.generic]) -> float:
    """Return the mean variance of the noise of a plane ``(h, w)``, independent from pixel to pixel, in squared units.

    The difference of two Laplacians takes smooth structure away (Immerkaer 1996, Comput. Vis. Image Underst. 64, 300).
    What is left of very fine structure counts as noise.
    """
    values = np.nan_to_num(np.asarray(plane, np.float32), posinf=0, neginf=0)
    if min(values.shape) < len(_LAPLACIANS):
        return 0.0
    rest = ndimage.convolve(values, _LAPLACIANS)[1:-1, 1:-1]
    return float(np.mean(rest**2) / (_LAPLACIANS**2).sum())


def hide(plane: Floats, target: Floats, reach_px: tuple[int, int], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Hide pixels at random places of an even grid, and all that their noise reaches.

    Parameters
    ----------
    plane
        ``(h, w)``: what the network should see.
    target
        ``(h, w)``: the same with the values that are asked for.
    reach_px
        How far noise is correlated along y and x.
    rng
        Decides the places, and which visible pixels nearby lend their values.

    Returns
    -------
    hidden, asked
        The plane with hidden pixels replaced, none by itself or by another hidden one; the target at the hidden
        places, NaN elsewhere.

    """
    places = _places(plane.shape, reach_px, rng)
    covered = np.zeros(plane.shape, bool)
    for offset in _footprint(reach_px):
        y, x = (places + offset).T
        inside = (y >= 0) & (y < plane.shape[0]) & (x >= 0) & (x < plane.shape[1])
        covered[y[inside], x[inside]] = True
    hidden = plane.copy()
    hidden[covered] = _lent(plane, covered, reach_px, rng)
    asked = np.full(plane.shape, np.nan, np.float32)
    asked[tuple(places.T)] = target[tuple(places.T)]
    return hidden, asked


def _places(shape: tuple[int, ...], reach_px: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
    """One pixel ``(n, 2)`` at random in each cell of a grid."""
    edges = [_SPACING_PX + 2 * reach for reach in reach_px]
    corners = np.stack(np.meshgrid(*(np.arange(0, n, edge) for n, edge in zip(shape, edges, strict=True)),
                                   indexing="ij"), axis=-1).reshape(-1, 2)  # fmt: skip
    places = corners + rng.integers(0, edges, corners.shape)
    return np.asarray(places[(places < shape).all(axis=1)])


def _footprint(reach_px: tuple[int, int]) -> NDArray[np.int64]:
    """Offsets ``(n, 2)`` within an ellipse of the reach."""
    y, x = (np.arange(-reach, reach + 1) for reach in reach_px)
    inside = (y[:, None] / (reach_px[0] + 0.5)) ** 2 + (x[None] / (reach_px[1] + 0.5)) ** 2 <= 1
    return np.argwhere(inside) - reach_px


def _lent(plane: Floats, covered: NDArray[np.bool_], reach_px: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Values of visible pixels, each drawn near the hidden one it stands for."""
    places = np.argwhere(covered)
    radius = [reach + _AROUND_PX for reach in reach_px]
    visible = np.argwhere(~covered)
    lenders = visible[rng.integers(len(visible), size=len(places))]
    waiting = np.arange(len(places))
    for _ in range(_ATTEMPTS):
        offsets = rng.integers(np.negative(radius), np.add(radius, 1), (len(waiting), 2))
        near = np.clip(places[waiting] + offsets, 0, np.subtract(plane.shape, 1))
        seen = ~covered[tuple(near.T)]
        lenders[waiting[seen]] = near[seen]
        waiting = waiting[~seen]
    return np.asarray(plane[tuple(lenders.T)])


class HiddenPatches(PairPatches):
    """Batches of patches of single planes with pixels hidden, and targets that are NaN elsewhere.

    Parameters
    ----------
    planes
        Scaled planes; image and target of each are the same but for what is clipped of the image.
    patch, seed, augment
        As of `PairPatches`; flips and turns keep lines lines where noise reaches farther along one axis.
    reach_px
        How far noise is correlated along y and x.

    """

    def __init__(
        self, planes: Sequence[LabelledPlane], patch: int, seed: int, augment: bool, reach_px: tuple[int, int]
    ) -> None:
        super().__init__(planes, patch, seed, augment)
        self._reach_px = reach_px
        self._codes = range(8) if reach_px[0] == reach_px[1] else _ALONG_AXES

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        pair = self._planes[int(rng.integers(len(self._planes)))]
        corner = [int(rng.integers(max(length - self._patch, 0) + 1)) for length in pair.image.shape]
        code = self._codes[int(rng.integers(len(self._codes)))] if self._augment else 0
        window = tuple(slice(at, at + self._patch) for at in corner)
        sides = hide(pair.image[window], pair.target[window], self._reach_px, rng)
        # what is hidden must not be seen in a mirror either: small planes are filled up afterwards
        squares = (cut(side, (0, 0), self._patch, fill="reflect") for side in sides)
        turned = (turn(torch.from_numpy(square)[None], code).contiguous() for square in squares)
        return next(turned), next(turned)
