"""Files of microscopes into layers that lie in nm: what napari does not read itself. No Qt."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from ...data.images.image import Image
from ...data.images.intensity_scaling import IntensityScaling
from ...data.images.opening import read_image
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

_AXES = ("t", "z", "y", "x")
_NOTHING: list[Nothing] = [(None,)]
"""What npe2 understands as "handled, but there is no layer"."""


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData] | list[Nothing]]:
    """Return what reads these files; the manifest tells which files are offered."""
    return read_layers


def read_layers(path: Paths) -> list[LayerData] | list[Nothing]:
    """Return one image layer, of one file or of several that are stacked.

    Stacks stay on disk: their planes are read when they are viewed. What cannot be read is reported in the viewer that
    is open.

    Raises
    ------
    UserError
        Without a viewer: if a file is damaged or holds no image, if the reader needs an optional package, or if files
        that are to be stacked differ in size or pixel size.

    """
    paths = [path] if isinstance(path, str) else path
    try:
        return [run_blocking(lambda _: _layer([read_image(one) for one in paths]), "Opening")]
    except UserError as error:
        return _show(error)


def _show(error: UserError) -> list[Nothing]:
    """Show an error in the viewer: napari's own message would hide the reason."""
    from napari.utils.notifications import show_error
    from napari.viewer import current_viewer

    if current_viewer() is None:
        raise error
    show_error(str(error))
    return _NOTHING


def _layer(images: list[Image]) -> LayerData:
    """Put images into one layer; several become a stack."""
    first = images[0]
    _require_equal(images)
    middle = first.plane(len(first) // 2)
    data = _data(first, middle) if len(images) == 1 else _stacked(images, middle.dtype)
    options: dict[str, Any] = {"name": first.name, "contrast_limits": tuple(IntensityScaling().fit(middle))}
    options |= grid_options(data.ndim, first.pixel_size_nm)
    options["metadata"] = {METADATA_KEY: {"file": str(first.path), "pixel_size_nm": first.pixel_size_nm}}
    return data, options, "image"


def _require_equal(images: list[Image]) -> None:
    """A stack has one grid."""
    first = images[0]
    for other in images[1:]:
        shapes = [(*one.leading, *one.plane_shape) for one in (first, other)]
        if shapes[0] != shapes[1] or first.pixel_size_nm != other.pixel_size_nm:
            sizes = [
                f"{shape}, pixels of {one.pixel_size_nm} nm" for shape, one in zip(shapes, (first, other), strict=True)
            ]
            raise UserError(
                f"'{first.path}' ({sizes[0]}) and '{other.path}' ({sizes[1]}) cannot be stacked. Open them one by one."
            )


def grid_options(axes: int, pixel_size_nm: float | None) -> dict[str, Any]:
    """Return scale, units and names of the axes ``(..., y, x)``; without a pixel size only the names."""
    names = {"axis_labels": _AXES[-axes:]} if axes <= len(_AXES) else {}
    if pixel_size_nm is None:
        return names
    before = axes - 2
    scale = (*(1.0,) * before, pixel_size_nm, pixel_size_nm)
    return {"scale": scale, "units": (*("pixel",) * before, "nm", "nm"), **names}


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
