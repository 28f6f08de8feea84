"""Layers in, arrays out, and back: everything the docks know of napari's layers. No Qt."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.arrays import DuckArray, Floats
from ...data.formats.axes import PlaneAxis
from ...data.images.image import GreyPlanes, Image, grey
from ...errors import UserError
from .calibration import pixel_of, plane_axes
from .colours import painting_colours

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer
    from napari.viewer import Viewer

Index = tuple[int, ...]
"""Of a plane in a stack; empty for one plane."""

_PLACEMENT = ("scale", "translate", "rotate", "shear")
_LARGEST_PAINTING = 8 * 2**30

METADATA_KEY = "napari_emssl"


class Placement(TypedDict, total=False):
    """Keyword arguments of a layer that say where its grid lies."""

    scale: Floats
    translate: Floats
    rotate: Floats
    shear: Floats
    affine: Floats
    units: tuple[object, ...]
    axis_labels: tuple[str, ...]


@dataclass(frozen=True)
class LayerSnapshot:
    """The planes of an image layer, not yet read: how a job finds them and how the result finds its way back."""

    name: str
    data: DuckArray
    """Level 0 of the layer: ``(..., h, w)``, or ``(..., h, w, 3 | 4)`` where `rgb`; numpy, dask or zarr."""
    rgb: bool
    shape: tuple[int, ...]
    """Shape of the grid, colours left out: ``(..., h, w)``."""
    placement: Placement = field(repr=False)
    pixel_size_nm: float | None = None
    axes: tuple[PlaneAxis, ...] = ()
    """What each of the leading axes counts."""
    identity: str = ""
    """Stays the same as long as the layer lives, whatever it is called."""
    copies: Mapping[Index, NDArray[np.number]] = field(default_factory=dict, repr=False)
    """Planes as they were when they were copied, whatever is done to the layer."""

    @property
    def leading(self) -> tuple[int, ...]:
        """Shape before the plane axes; empty for one plane."""
        return self.shape[:-2]

    def indices(self) -> Iterator[Index]:
        """Index of every plane, in order."""
        return product(*(range(n) for n in self.leading))

    def plane(self, index: Index) -> NDArray[np.number]:
        """Return a copy of one plane ``(h, w)`` in its own dtype; colours become grey."""
        if index in self.copies:
            return self.copies[index].copy()
        plane = np.array(self.data[index])
        return grey(plane) if self.rgb else plane

    def with_copies(self, indices: Iterable[Index]) -> "LayerSnapshot":
        """Return it with copies of some planes, if they are in memory; those of lazy layers are read when asked for."""
        if not isinstance(self.data, np.ndarray):
            return self
        return replace(self, copies={index: self.plane(index) for index in indices})

    def image(self, index: Index | None = None) -> Image:
        """Return the planes, or the one at `index`, as jobs take them; read when the job asks, copied by it."""
        data, leading = (self.data, self.leading) if index is None else (self.data[index], ())
        axes = self.axes if index is None else ()
        return Image(self.name, GreyPlanes(data, leading, self.rgb), leading, self.pixel_size_nm, axes=axes)


def snapshot_of(layer: "Layer") -> LayerSnapshot:
    """Describe an image layer (2-D, stack, n-D, RGB, multiscale, dask, zarr) without reading its pixels."""
    data = layer.data[0] if layer.multiscale else layer.data
    rgb = bool(getattr(layer, "rgb", False))
    shape = tuple(int(n) for n in (data.shape[:-1] if rgb else data.shape))
    if len(shape) < 2 or 0 in shape:
        raise UserError(f"'{layer.name}' holds no image (its shape is {shape}). Choose another layer.")
    where = placement(layer)
    axes = plane_axes(where, len(shape) - 2)
    return LayerSnapshot(layer.name, data, rgb, shape, where, pixel_of(where).edge, axes, str(layer.unique_id))


def own_notes(layer: "Layer", *parts: str) -> dict[str, Any]:
    """Return what the plugin has noted in a layer, or a part of it; empty where somebody has put anything else there.

    Parameters
    ----------
    layer
        Any layer.
    parts
        Names of what is wanted, one within the other.
    """
    found: object = layer.metadata.get(METADATA_KEY)
    for part in parts:
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def placement(layer: "Layer") -> Placement:
    """Return the keyword arguments that put a new layer on the grid of `layer`, units and axis names included."""
    where = {name: np.array(getattr(layer, name)) for name in _PLACEMENT}
    where["affine"] = np.array(layer.affine.affine_matrix)
    names = {name: tuple(getattr(layer, name)) for name in ("units", "axis_labels") if hasattr(layer, name)}
    placed: Placement = {**where, **names}  # type: ignore[typeddict-item]
    return placed


def place(layer: "Layer", where: Placement) -> None:
    """Put a layer on another grid of as many axes; nothing is drawn again where it lies there already."""
    now = placement(layer)
    for name, value in where.items():
        if not np.array_equal(now.get(name), value):  # type: ignore[arg-type]
            setattr(layer, name, value)


def placement_of_plane(where: Placement) -> Placement:
    """Return the placement of one plane (the last two axes) of a layer with the placement `where`."""
    shear = where["shear"]
    plane: Placement = {
        "scale": where["scale"][-2:],
        "translate": where["translate"][-2:],
        "rotate": where["rotate"][-2:, -2:],
        "shear": shear[-2:, -2:] if shear.ndim == 2 else shear[-1:],
        "affine": where["affine"][-3:, -3:],
    }
    if "units" in where:
        plane["units"] = where["units"][-2:]
    if "axis_labels" in where:
        plane["axis_labels"] = where["axis_labels"][-2:]
    return plane


def placement_of_finer(where: Placement, factor: int) -> Placement:
    """Return the placement of a layer whose planes have `factor` times the pixels a side, on the very same field."""
    if factor == 1:
        return where
    from napari.utils.transforms import CompositeAffine

    finer = np.ones(len(where["scale"]))
    finer[-2:] = factor
    axes = CompositeAffine(where["scale"], where["translate"], rotate=where["rotate"], shear=where["shear"])
    first = np.asarray(axes((1 / finer - 1) / 2))  # pixels are known by their centres, and the first one's moves
    return {**where, "scale": where["scale"] / finer, "translate": first}


def pixel_size_nm(layer: "Layer") -> float | None:
    """Return the edge of a layer's pixels in nm; None without a unit of length, and for pixels that are not square."""
    return pixel_of(placement(layer)).edge


def plane_in_view(layer: "Layer", viewer: "Viewer") -> Index:
    """Return the index of the plane of `layer` that the sliders of `viewer` point at; empty for a 2-D layer."""
    shape = snapshot_of(layer).leading
    at = pixel_at(layer, viewer, viewer.dims.point)[: len(shape)]
    return tuple(int(i) for i in np.clip(at, 0, np.asarray(shape, int) - 1))


def window_in_view(layer: "Layer") -> tuple[int, int, int, int] | None:
    """Return which rows and columns of an image layer are on screen: first, last + 1, first, last + 1; or None.

    None where that is not known: nothing has been drawn yet, or other axes than the last two are on screen.
    """
    (top, left), (bottom, right) = layer.corner_pixels[:, -2:]
    if bottom <= top or right <= left:
        return None
    rows, columns = layer.downsample_factors[layer.data_level][-2:] if layer.multiscale else (1, 1)
    return int(top * rows), int((bottom + 1) * rows), int(left * columns), int((right + 1) * columns)


def pixel_at(layer: "Layer", viewer: "Viewer", point: ArrayLike) -> tuple[int, ...]:
    """Return which pixel of a layer lies at a point of the viewer's world.

    Parameters
    ----------
    layer
        The layer.
    viewer
        The viewer that it is in.
    point
        In the units of the viewer; of its axes the layer has the last ones.

    Returns
    -------
    tuple
        Index of the pixel, which may lie outside of the layer.

    """
    own = np.asarray(point, float)[-layer.ndim :] * _unit_factors(layer, viewer)
    return tuple(int(i) for i in np.round(layer.world_to_data(own)))


def point_of(layer: "Layer", viewer: "Viewer", pixel: ArrayLike) -> tuple[float, ...]:
    """Return where a pixel of a layer lies in the viewer's world.

    Parameters
    ----------
    layer
        The layer.
    viewer
        The viewer that it is in.
    pixel
        Its index ``(..., y, x)``.

    """
    return tuple(float(x) for x in np.asarray(layer.data_to_world(pixel)) / _unit_factors(layer, viewer))


def _unit_factors(layer: "Layer", viewer: "Viewer") -> Floats | float:
    """Viewers since napari 0.7 count in the smallest unit of their layers; a layer counts in its own."""
    world = getattr(viewer.layers, "units", None)
    own = getattr(layer, "units", None)
    if world is None or own is None or len(world) < len(own):
        return 1.0
    import pint

    base = pint.get_application_registry().get_base_units
    world = world[-len(own) :]
    return np.array([float(base(str(w))[0]) / float(base(str(o))[0]) for w, o in zip(world, own, strict=True)])


def world_factors(one: "Layer", other: "Layer") -> Floats:
    """Return by what to multiply world coordinates of a layer to get those of another, for the last axes of both.

    Each layer counts in its own units; 1 where the units cannot be compared, since napari then goes by the numbers.
    """
    count = min(one.ndim, other.ndim)
    pairs = zip(*(tuple(getattr(layer, "units", None) or ("pixel",) * count)[-count:] for layer in (one, other)),
                strict=True)  # fmt: skip
    return np.array([_ratio(str(own), str(wanted)) for own, wanted in pairs])


def _ratio(own: str, wanted: str) -> float:
    """Return how many of one unit make the other; 1 where they measure different things."""
    if own == wanted:
        return 1.0
    import pint

    try:
        return float(pint.get_application_registry().Quantity(1.0, own).to(wanted).magnitude)
    except (pint.DimensionalityError, pint.UndefinedUnitError):
        return 1.0


def new_painting(layer: "ImageLayer") -> tuple[NDArray[np.uint8], dict[str, object]]:
    """Return empty labels on the grid of an image layer and the keyword arguments of their Labels layer.

    Raises
    ------
    UserError
        When the painting would not fit into memory.

    """
    source = snapshot_of(layer)
    if np.prod(source.shape, dtype=float) > _LARGEST_PAINTING:
        raise UserError(
            f"'{source.name}' is too large to be painted as a whole. "
            "Duplicate a few of its planes into a layer of their own and paint there."
        )
    named = {"name": f"{source.name} | painting", "colormap": painting_colours()}
    return np.zeros(source.shape, np.uint8), {**named, **source.placement}


def brush_size(shape: tuple[int, ...]) -> int:
    """Return a brush, in pixels, that suits a plane ``(..., h, w)``: about a fiftieth of its shorter edge."""
    return int(np.clip(min(shape[-2:]) // 50, 3, 40))


def appearance_of(image: "ImageLayer") -> dict[str, Any]:
    """Return what makes a layer look like this one; the colours of an RGB layer have no part in its grey results."""
    if getattr(image, "rgb", False):
        white = 255.0 if np.dtype(image.dtype) == np.uint8 else 1.0
        return {"contrast_limits": (0.0, white)}
    return {"contrast_limits": tuple(image.contrast_limits), "colormap": image.colormap, "gamma": image.gamma}
