"""Hot and negative pixels of a detector, repaired as the Au sets were prepared (Sytwu, Groschner & Scott 2022)."""

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 2
"""A pixel among others that are hot may still be hot once it was replaced."""


def repair(plane: NDArray[np.number], hot_pixels: float) -> NDArray[np.number]:
    """Return ``(h, w)`` with negative pixels set to 0 and hot ones replaced.

    As in the authors' published notebook: the brightest first, each by the mean of its eight neighbours as they are
    then; one at the border by the mean of the plane. What is still hot is replaced once more.

    Parameters
    ----------
    plane
        Grey values of any real type.
    hot_pixels
        A pixel is hot when it exceeds the plane's median by more than this, in the units of the plane.
    """
    clean: NDArray[np.number] = np.maximum(plane, 0) if plane.dtype.kind in "if" else plane.copy()
    values = clean.astype(np.float64)
    for _ in range(_ROUNDS):
        hot = values > np.median(values) + hot_pixels
        if not hot.any():
            break
        _replace(values, np.argwhere(hot))
        clean[hot] = values[hot] if clean.dtype.kind == "f" else np.rint(values[hot])
    return clean


def _replace(values: NDArray[np.float64], places: NDArray[np.int64]) -> None:
    """Replace pixels in place, the brightest first."""
    height, width = values.shape
    total = float(values.sum())
    brightness = values[places[:, 0], places[:, 1]]
    for row, column in places[np.argsort(-brightness, kind="stable")]:
        own = float(values[row, column])
        if 0 < row < height - 1 and 0 < column < width - 1:
            new = (float(values[row - 1 : row + 2, column - 1 : column + 2].sum()) - own) / 8
        else:
            new = total / values.size
        values[row, column] = new
        total += new - own
