"""How large the pixels of a layer are and how far apart its planes, by its scale, units and affine. No Qt."""

from collections.abc import Mapping
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike

from ...data.arrays import Floats
from ...data.formats.axes import PlaneAxis, plane_axis
from ...data.formats.units import PixelNm

_RIGHT_ANGLE = 0.01
"""Cosine up to which rows and columns count as at right angles."""


class LayerPixel(NamedTuple):
    """A pixel of a layer."""

    size: PixelNm | None
    """None where its axes have no unit of length."""
    right_angled: bool = True

    @property
    def edge(self) -> float | None:
        """Edge of a square pixel in nm; None for all others, which have no single size."""
        return self.size.edge if self.size is not None and self.right_angled else None

    @property
    def description(self) -> str:
        """What is known of it, as the end of a sentence about a layer: "has no pixel size"."""
        if self.size is None:
            return "has no pixel size"
        if not self.right_angled:
            return "is sheared, so its pixels have no single size"
        if self.size.edge is None:
            return f"has pixels {self.size.height:.4g} nm high and {self.size.width:.4g} nm wide, which are not square"
        return f"has pixels of {self.size.edge:.4g} nm"


def pixel_of(where: Mapping[str, object]) -> LayerPixel:
    """Return the pixel of a layer.

    Parameters
    ----------
    where
        Keyword arguments of a layer: ``scale``, ``units``, and ``rotate``, ``shear`` and ``affine`` where they are not
        the usual ones.
    """
    units = cast("tuple[object, ...] | None", where.get("units"))
    scale = np.asarray(cast(ArrayLike, where.get("scale")), float) if where.get("scale") is not None else None
    factors = [] if units is None else [_nm_per(str(unit)) for unit in units[-2:]]
    if scale is None or len(factors) != 2 or None in factors:
        return LayerPixel(None)
    steps = np.array(factors, float)[:, None] * _linear(where, scale)[-2:, -2:]
    height, width = (float(length) for length in np.linalg.norm(steps, axis=0))
    if not (height > 0 and width > 0 and np.isfinite(height * width)):
        return LayerPixel(None)
    angled = abs(float(steps[:, 0] @ steps[:, 1])) <= _RIGHT_ANGLE * height * width
    return LayerPixel(PixelNm(height, width), angled)


def _linear(where: Mapping[str, object], scale: Floats) -> Floats:
    """Linear part of the way from a layer's pixels to the world, in the units of its axes."""
    from napari.utils.transforms import CompositeAffine

    given = {name: where[name] for name in ("rotate", "shear") if where.get(name) is not None}
    linear = np.asarray(CompositeAffine(scale, np.zeros(len(scale)), **given).linear_matrix, float)
    affine = where.get("affine")
    if affine is None:
        return linear
    matrix = np.asarray(getattr(affine, "affine_matrix", affine), float)
    return np.asarray(matrix[: len(scale), : len(scale)] @ linear, float)


def _nm_per(unit: str) -> float | None:
    """Nanometres in a unit of napari, which knows all those of pint."""
    import pint

    try:
        return float(pint.get_application_registry().Quantity(1.0, unit).to("nm").magnitude)
    except (pint.DimensionalityError, pint.UndefinedUnitError):
        return None


def plane_axes(where: Mapping[str, object], leading: int) -> tuple[PlaneAxis, ...]:
    """Return what the axes before height and width count, by their names and units.

    Parameters
    ----------
    where
        Keyword arguments of a layer, as for `pixel_of`, and ``axis_labels``.
    leading
        How many axes there are before height and width, the last ones of the layer.
    """
    scale, units, labels = (list(cast("tuple[object, ...]", where.get(name)) if where.get(name) is not None else ())
                            for name in ("scale", "units", "axis_labels"))  # fmt: skip
    count = len(scale)
    if count < leading + 2:
        return (PlaneAxis(),) * leading
    units, labels = units or ["pixel"] * count, labels or [""] * count
    places = range(count - 2 - leading, count - 2)
    return tuple(plane_axis(str(labels[i]), float(cast(float, scale[i])), str(units[i])) for i in places)
