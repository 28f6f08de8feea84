"""The scale at which a network looks at images, from the size of what is painted on them.

Pretraining shows objects of 2 to 180 px, most of them below 60. Larger ones are drawn better from a shrunken image.
Tiny ones gain by smoothing and enlarging in the noise of HRTEM, and lose elsewhere, so that is left to the user
(docs/evidence-few-labels.md).
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_SHRINK_TO_HALF, _SHRINK_TO_QUARTER = 110.0, 260.0
"""Diameters in pixels from which objects are shrunk."""


def scale_for(shrink: Literal["auto", "0.5", "1", "2", "4"], targets: Iterable[NDArray[np.integer]]) -> float:
    """Return by how much images are enlarged before the network looks at them: 0.25, 0.5, 1 or 2.

    Parameters
    ----------
    shrink
        How many times they are shrunk; auto decides by what is painted.
    targets
        Core targets ``(h, w)`` (0 unpainted, 1 background, 2.. classes).

    """
    if shrink != "auto":
        return 1 / float(shrink)
    diameter = painted_diameter(targets)
    if diameter < _SHRINK_TO_HALF:
        return 1.0
    return 0.5 if diameter < _SHRINK_TO_QUARTER else 0.25


def painted_diameter(targets: Iterable[NDArray[np.integer]]) -> float:
    """Return the diameter in pixels of a disc as large as a typical painted object; 0 where none is painted.

    Typical is the object in which the median painted pixel lies, so that specks do not count.
    """
    from scipy import ndimage

    areas = [np.zeros(0, np.int64)]
    for target in targets:
        for value in np.unique(target[target >= 2]):
            numbers, _ = ndimage.label(target == value)
            areas.append(np.bincount(numbers.ravel())[1:])
    ordered = np.sort(np.concatenate(areas))
    if not len(ordered):
        return 0.0
    median = np.searchsorted(np.cumsum(ordered), ordered.sum() / 2)
    return float(np.sqrt(4 * ordered[median] / np.pi))
