"""Files of microscopes into layers that lie in nm: what napari does not read itself. No Qt."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from ...data.formats.axes import PlaneAxis
from ...data.formats.ome_zarr import axis_letters
from ...data.formats.units import PixelNm
from ...data.images.image import Image, notes_of
from ...data.images.intensity_scaling import IntensityScaling
from ...data.images.opening import read_image, read_images
from ...errors import UserError
from ..layers.layers import METADATA_KEY
from ..threads.blocking import run_blocking

if TYPE_CHECKING:
    import dask.array as da

LayerArray: TypeAlias = Union[NDArray[np.generic], "da.Array"]
LayerData = tuple[LayerArray, dict[str, Any], str]
"""What napari takes from readers and samples: an array, keyword arguments of the layer, and its kind."""
Nothing = tuple[None]
Paths = str | list[str]

_NAMED_AXES = 3
"""Of more axes before height and width the kinds are not told."""
_NOTHING: list[Nothing] = [(None,)]
"""What npe2 understands as "handled, but there is no layer"."""


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData] | list[Nothing]]:
    """Return what reads these files; the manifest tells which files are offered."""
    return read_layers


def read_layers(path: Paths) -> list[LayerData] | list[Nothing]:
    """Return a layer for each image of one file, or one layer of several files that are stacked.

    Stacks stay on disk: their planes are read when they are viewed. Of several images of a file, detectors or series,
    the one that is meant when nobody says is visible at first. What cannot be read, and what is left out of a file, is
    reported in the viewer that is open.

    Raises
    ------
    UserError
        Without a viewer: if a file is damaged or holds no image, if the reader needs an optional package, or if files
        that are to be stacked differ in size or pixel size.

    """
    paths = [path] if isinstance(path, str) else path
    try:
        layers, notes = run_blocking(lambda _: _layers(paths), "Opening")
    except UserError as error:
        return _show(error)
    for note in notes:
        _tell(note)
    return layers


def _layers(paths: list[str]) -> tuple[list[LayerData], list[str]]:
    """Layers, and remarks on them."""
    if len(paths) > 1:
        images = [read_image(one) for one in paths]
        return [_layer(images)], notes_of(images)
    images = sorted(read_images(paths[0]), key=lambda image: not image.meant)
    layers: list[LayerData] = []
    troubles: list[UserError] = []
    for image in images:
        try:
            layers.append(_layer([image]))
        except UserError as error:  # of one image among others
            troubles.append(error)
    if not layers:
        raise troubles[0]
    for _, options, _ in layers[1:]:
        options["visible"] = False
    return layers, [*notes_of(images), *map(str, troubles)]


def _show(error: UserError) -> list[Nothing]:
    """Show an error in the viewer: napari's own message would hide the reason."""
    from napari.utils.notifications import show_error
    from napari.viewer import current_viewer

    if current_viewer() is None:
        raise error
    show_error(str(error))
    return _NOTHING


def _tell(note: str) -> None:
    """Say something about a file, in the viewer or as a warning."""
    from napari.utils.notifications import show_warning

    show_warning(note)


def _layer(images: list[Image]) -> LayerData:
    """Put images into one layer; several become a stack."""
    first = images[0]
    _require_equal(images)
    middle = first.plane(len(first) // 2)
    data = _data(first, middle) if len(images) == 1 else _stacked(images, middle.dtype)
    options: dict[str, Any] = {"name": first.name, "contrast_limits": tuple(IntensityScaling().fit(middle))}
    axes = (*(PlaneAxis(),) * (len(images) > 1), *(first.axes or (PlaneAxis(),) * len(first.leading)))
    options |= grid_options(axes, first.pixel)
    options["metadata"] = {METADATA_KEY: {"file": str(first.path), "pixel_size_nm": first.pixel_size_nm}}
    return data, options, "image"


def _require_equal(images: list[Image]) -> None:
    """A stack has one grid."""
    first = images[0]
    for other in images[1:]:
        shapes = [(*one.leading, *one.plane_shape) for one in (first, other)]
        if shapes[0] != shapes[1] or first.pixel != other.pixel:
            sizes = [f"{shape}, {_pixels(one)}" for shape, one in zip(shapes, (first, other), strict=True)]
            raise UserError(
                f"'{first.path}' ({sizes[0]}) and '{other.path}' ({sizes[1]}) cannot be stacked. Open them one by one."
            )


def _pixels(image: Image) -> str:
    """Words for the pixels of an image."""
    if image.stretched:
        return "pixels of {:.4g} x {:.4g} nm".format(*image.stretched)
    return f"pixels of {image.pixel_size_nm:.4g} nm" if image.pixel_size_nm else "no pixel size"


def grid_options(axes: Sequence[PlaneAxis], pixel: PixelNm | None) -> dict[str, Any]:
    """Return scale, units and names of the axes of a layer.

    Parameters
    ----------
    axes
        Those before height and width.
    pixel
        Height and width in nm; without it they are counted in pixels.
    """
    before = [(axis.step, axis.unit) if axis.step and axis.unit else (1.0, "pixel") for axis in axes]
    plane = [(edge, "nm") for edge in pixel] if pixel else [(1.0, "pixel")] * 2
    names = {"axis_labels": (*axis_letters(axes), "y", "x")} if len(axes) <= _NAMED_AXES else {}
    if all(unit == "pixel" for _, unit in (*before, *plane)):
        return names
    steps, units = zip(*before, *plane, strict=True)
    return {"scale": steps, "units": units, **names}


def _data(image: Image, middle: NDArray[np.generic]) -> LayerArray:
    """Return a single plane as it is, ``(h, w)``, a stack as a lazy array ``(..., h, w)``."""
    if not image.leading:
        return middle
    return _lazy(image, middle.dtype).reshape(*image.leading, *image.plane_shape)


def _stacked(images: list[Image], dtype: np.dtype[np.generic]) -> "da.Array":
    """Return images of one shape as one lazy array ``(n, ..., h, w)``."""
    import dask.array as da

    shape = (*images[0].leading, *images[0].plane_shape)
    return da.stack([_lazy(image, dtype).reshape(shape) for image in images])


def _lazy(image: Image, dtype: np.dtype[np.generic]) -> "da.Array":
    """Return the planes as a dask array ``(n, h, w)`` with one plane per chunk."""
    import dask.array as da

    def read(block_id: tuple[int, ...]) -> NDArray[np.generic]:
        return image.plane(block_id[0]).astype(dtype, copy=False)[None]

    height, width = image.plane_shape
    chunks = ((1,) * len(image), (height,), (width,))
    return da.map_blocks(read, chunks=chunks, dtype=dtype, meta=np.empty((0, 0, 0), dtype))
