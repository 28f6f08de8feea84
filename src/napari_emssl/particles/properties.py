"""Sizes and shapes of the particles of one plane, in pixels, as ``docs/reference/particle-table.md`` defines them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from skimage.measure._regionprops import RegionProperties

Columns = dict[str, NDArray[Any]]
"""Columns of a table, by name. `Any`, since whole numbers, floats, booleans and texts stand beside each other."""

POWERS = {
    "equivalent_diameter": 1,
    "area": 2,
    "feret_max": 1,
    "feret_min": 1,
    "perimeter": 1,
    "major_axis": 1,
    "minor_axis": 1,
}
"""Properties that have a unit, and the power of the length in it."""
_KINDS = {"label": np.int64, "touches_border": np.bool_}


def properties_of(instances: NDArray[np.integer], intensity: NDArray[np.number] | None = None) -> Columns:
    """Measure every particle of a plane.

    Parameters
    ----------
    instances
        Numbers of the particles ``(h, w)``, integers, 0 on the background.
    intensity
        Image ``(h, w)`` for the mean intensity; values that are not finite do not count.

    Returns
    -------
    dict
        Columns of equal length, one row per particle in ascending order of the numbers; lengths in pixels, ``x`` and
        ``y`` counted from the centre of the first pixel.

    """
    from skimage.measure import regionprops

    rows = [_row(region, instances.shape) for region in regionprops(instances)]
    names = ("label", "x", "y", *POWERS, "circularity", "eccentricity", "touches_border")
    columns: Columns = {
        name: np.array([row[i] for row in rows], _KINDS.get(name, np.float64)) for i, name in enumerate(names)
    }
    if intensity is not None:
        columns["mean_intensity"] = _mean_intensity(instances, intensity, columns["label"])
    return columns


def _row(region: "RegionProperties", shape: tuple[int, ...]) -> tuple[float, ...]:
    """Values of one region of skimage, in the order of the columns."""
    top, left, bottom, right = region.bbox
    y, x = region.centroid
    area, perimeter = float(region.area), float(region.perimeter_crofton)
    longest, narrowest = feret(region.image)
    return (
        region.label,
        x,
        y,
        float(np.sqrt(4 * area / np.pi)),
        area,
        longest,
        narrowest,
        perimeter,
        region.axis_major_length,
        region.axis_minor_length,
        min(4 * np.pi * area / perimeter**2, 1.0),  # a Crofton perimeter of a few pixels may come out too short
        region.eccentricity,
        top == 0 or left == 0 or bottom == shape[0] or right == shape[1],
    )


def feret(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the largest and the smallest calliper width of a mask ``(h, w)`` with at least one pixel, in pixels.

    The outline runs through the midpoints of the pixels' outer edges, so that a row of n pixels is n long. The widths
    are those of the convex hull; the smallest one is found across one of its sides (rotating callipers).
    """
    from scipy.spatial import ConvexHull

    points = _outline(mask)
    corners = points[ConvexHull(points).vertices]
    longest = np.sqrt(((corners[:, None] - corners[None]) ** 2).sum(-1).max())
    sides = np.roll(corners, -1, axis=0) - corners
    normals = np.stack([-sides[:, 1], sides[:, 0]]) / np.hypot(sides[:, 0], sides[:, 1])
    heights = corners @ normals
    return float(longest), float((heights.max(0) - heights.min(0)).min())


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Midpoints of the edges of the first and last pixel of each row ``(n, 2)``; their hull is that of all."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    moved = [(0, -0.5, first), (-0.5, 0, first), (0.5, 0, first), (0, 0.5, last), (-0.5, 0, last), (0.5, 0, last)]
    return np.concatenate([np.stack([rows + down, column + right], axis=1) for down, right, column in moved])


def _mean_intensity(
    instances: NDArray[np.integer], intensity: NDArray[np.number], labels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Mean over the finite pixels of each particle; NaN where there is none."""
    counted = (instances > 0) & np.isfinite(intensity)
    numbers = instances[counted]
    size = int(labels.max(initial=0)) + 1
    sums = np.bincount(numbers, intensity[counted].astype(np.float64), size)
    counts = np.bincount(numbers, minlength=size).astype(np.float64)
    counts[counts == 0] = np.nan
    return np.asarray((sums / counts)[labels])
