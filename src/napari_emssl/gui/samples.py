"""File > Open Sample > napari-emssl: simulated micrographs whose truth is known. No Qt."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..data.planes import read_image, write_image
from ..data.samples import PLANES, SEED, SIZE_PX, paint_first
from ..data.scaling import IntensityScaling
from ..data.simulate import sample_stack
from ..models.zoo import home

_NAME = "Gold nanoparticles"

LayerData = tuple[Any, dict[str, Any], str]


def nanoparticles() -> list[LayerData]:
    """Return a stack ``(4, 512, 512)`` of simulated HRTEM images and, hidden, its true mask, with pixel size in nm."""
    images, masks, _, pixel_size_nm = _stack()
    return [
        (images, {"name": _NAME, "contrast_limits": _contrast(images), **_grid(pixel_size_nm)}, "image"),
        (masks, {"name": f"{_NAME} | truth", "visible": False, **_grid(pixel_size_nm)}, "labels"),
    ]


def painted_nanoparticles() -> list[LayerData]:
    """Return the same stack with three particles of the first plane painted, as one would by hand."""
    _, _, instances, pixel_size_nm = _stack()
    painting = paint_first(instances)
    return [
        *nanoparticles(),
        (painting, {"name": f"{_NAME} | painting", "opacity": 0.6, **_grid(pixel_size_nm)}, "labels"),
    ]


def _stack() -> tuple[NDArray[Any], NDArray[np.uint8], NDArray[Any], float]:
    """Images, masks and instances; simulated once, which takes seconds, and then kept in the user's folder."""
    folder = home() / "samples" / f"gold-{PLANES}x{SIZE_PX}-{__version__}"
    files = folder / "images.tif", folder / "instances.tif"
    if not all(file.is_file() for file in files):
        stack, _, numbered, pixel_size_nm = sample_stack(PLANES, SIZE_PX, seed=SEED)
        for file, array in zip(files, (stack, numbered), strict=True):
            write_image(file, array, pixel_size_nm, overwrite=True)
    images, instances = (read_image(file) for file in files)
    labels = np.asarray(instances.planes)
    return np.asarray(images.planes), (labels > 0).astype(np.uint8), labels, float(images.pixel_size_nm or 1.0)


def _contrast(images: NDArray[Any]) -> tuple[float, float]:
    """Grey values shown as black and white: a few bright fringes would make the rest dull."""
    black, white = IntensityScaling().fit(images)
    return black, white


def _grid(pixel_size_nm: float) -> dict[str, Any]:
    """Scale and units of the stack; its first axis counts images."""
    return {
        "scale": (1.0, pixel_size_nm, pixel_size_nm),
        "units": ("pixel", "nm", "nm"),
        "axis_labels": ("image", "y", "x"),
    }
