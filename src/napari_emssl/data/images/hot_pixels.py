"""Hot and negative pixels of a detector, repaired as the Au sets were prepared (Sytwu, Groschner & Scott 2022)."""

import numpy as np
from numpy.typing import NDArray


def repair(plane: NDArray[np.number], hot_pixels: float) -> NDArray[np.number]:
    """Return ``(h, w)`` with negative pixels set to 0 and hot ones replaced by the mean of their neighbours.

    The eight neighbours are those of the plane before
    any is replaced; at the border there are fewer.

    Parameters
    ----------
    plane
        Grey values of any real type.
    hot_pixels
        A pixel is hot when it exceeds the plane's median by more than this, in the units of the plane.
    """
    clean: NDArray[np.number] = np.maximum(plane, 0) if plane.dtype.kind in "if" else plane.copy()
    rows, columns = np.nonzero(clean > np.median(clean) + hot_pixels)
    means = [_mean_around(clean, int(row), int(column)) for row, column in zip(rows, columns, strict=True)]
    if means:
        values = np.asarray(means)
        clean[rows, columns] = values if clean.dtype.kind == "f" else np.rint(values)
    return clean


def _mean_around(plane: NDArray[np.number], row: int, column: int) -> float:
    """Mean of the up to eight neighbours of a pixel."""
    window = plane[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].astype(np.float64)
    own = float(plane[row, column])
    return (float(window.sum()) - own) / (window.size - 1) if window.size > 1 else own
