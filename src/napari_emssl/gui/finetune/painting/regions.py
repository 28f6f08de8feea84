"""Shapes as fully annotated regions: from a Shapes layer to outlines in the pixels of an image, and to masks. No Qt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....data.arrays import Floats
from ....errors import UserError
from ...layers.layers import Index, placement, world_factors
from ...layers.matching import ALL_PAINTED, shape_of

if TYPE_CHECKING:
    from napari.layers import Image, Shapes

_CLOSED = ("rectangle", "polygon", "ellipse")
_ELLIPSE_POINTS = 180
_FLAT_PX = 0.5


@dataclass(frozen=True)
class AnnotatedRegion:
    """A closed outline on one plane of an image, or on all of them."""

    at: Index
    """Index of the plane along the last of the axes before the plane's own; empty for every plane."""
    outline: Floats
    """Corners ``(n, 2)`` in pixels, y and x."""

    def lies_on(self, index: Index) -> bool:
        """Whether it lies on the plane with this index."""
        return index[len(index) - len(self.at) :] == self.at


def new_regions(image: "Image") -> dict[str, object]:
    """Return the keyword arguments of an empty Shapes layer on the grid of an image layer."""
    shape = shape_of(image)
    return {
        "ndim": len(shape), "name": f"{image.name} | {ALL_PAINTED}", "face_color": "transparent",
        "edge_color": "yellow", "edge_width": max(1.0, min(shape[-2:]) / 250), **placement(image),
    }  # fmt: skip


def regions_of(shapes: "Shapes | None", image: "Image") -> tuple[AnnotatedRegion, ...]:
    """Return the closed shapes of a Shapes layer (None: no shapes) as regions of an image layer.

    Raises
    ------
    UserError
        When a shape does not lie in a plane of the image.

    """
    if shapes is None:
        return ()
    kinds = (
        list(shapes.shape_type) if not isinstance(shapes.shape_type, str) else [shapes.shape_type] * len(shapes.data)
    )
    regions = [_region(points, kind, shapes, image) for points, kind in zip(shapes.data, kinds, strict=True)
               if kind in _CLOSED]  # fmt: skip
    return tuple(region for region in regions if region is not None)


def _region(points: ArrayLike, kind: str, shapes: "Shapes", image: "Image") -> AnnotatedRegion | None:
    """Bring one shape into the pixels of the image; None where it lies beside it."""
    pixels = _to_pixels(_ellipse(points) if kind == "ellipse" else np.asarray(points, float), shapes, image)
    leading, outline = pixels[:, :-2], pixels[:, -2:]
    if leading.size and np.ptp(leading, axis=0).max() > _FLAT_PX:
        raise UserError(
            f"A shape of '{shapes.name}' does not lie in a plane of '{image.name}'. "
            "Draw it while the last two axes of the image are in view."
        )
    at = tuple(int(i) for i in np.round(leading[0]))
    shape = shape_of(image)
    sides = zip(at, shape[len(shape) - 2 - len(at) : -2], strict=True)
    beside = (outline.max(0) < -0.5).any() or (outline.min(0) > np.array(shape[-2:]) - 0.5).any()
    return None if beside or not all(0 <= i < n for i, n in sides) else AnnotatedRegion(at, outline)


def _to_pixels(points: Floats, shapes: "Shapes", image: "Image") -> Floats:
    """Map points of one layer to pixels of another: the axes both have, by way of the world they share."""
    world = np.array([shapes.data_to_world(point) for point in points])
    common = min(shapes.ndim, len(shape_of(image)))
    whole = np.zeros((len(points), len(shape_of(image))))
    whole[:, -common:] = world[:, -common:] * world_factors(shapes, image)[-common:]
    return np.array([image.world_to_data(point) for point in whole])[:, -common:]


def _ellipse(corners: ArrayLike) -> Floats:
    """Return points on the ellipse that touches the sides of a box with these four corners."""
    corners = np.asarray(corners, float)
    centre, along, across = corners.mean(0), (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)[:, None]
    points: Floats = centre + np.cos(angles) * along + np.sin(angles) * across
    return points


def mask_of(regions: Sequence[AnnotatedRegion], index: Index, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Return which pixels of a plane have their centres in a region.

    Parameters
    ----------
    regions
        Regions of an image.
    index
        Of the plane.
    shape
        Of the plane, ``(h, w)``.

    Returns
    -------
    array
        A mask ``(h, w)``; None where no region lies on the plane.

    """
    from skimage.draw import polygon  # slow to import, and only needed in a worker thread

    here = [region for region in regions if region.lies_on(index)]
    if not here:
        return None
    mask = np.zeros(shape, bool)
    for region in here:
        mask[polygon(*region.outline.T, shape)] = True
    return mask
