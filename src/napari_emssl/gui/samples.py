"""File > Open Sample > napari-emssl: simulated micrographs whose truth is known. No Qt."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..data.planes import read_image, write_image
from ..data.simulate import sample_stack
from ..models.zoo import home

_PLANES, _SIZE, _SEED = 4, 512, 0
_PAINTED = 3
_NAME = "Gold nanoparticles"

LayerData = tuple[Any, dict[str, Any], str]


def nanoparticles() -> list[LayerData]:
    """Return a stack ``(4, 512, 512)`` of simulated HRTEM images and, hidden, its true mask, with pixel size in nm."""
    images, masks, _, pixel_size_nm = _stack()
    return [
        (images, {"name": _NAME, **_grid(pixel_size_nm)}, "image"),
        (masks, {"name": f"{_NAME} | truth", "visible": False, **_grid(pixel_size_nm)}, "labels"),
    ]


def painted_nanoparticles() -> list[LayerData]:
    """Return the same stack with three particles of the first plane painted, as one would by hand."""
    _, _, instances, pixel_size_nm = _stack()
    painting = np.zeros(instances.shape, np.uint8)
    painting[0] = paint_some(instances[0])
    return [
        *nanoparticles(),
        (painting, {"name": f"{_NAME} | painting", "opacity": 0.6, **_grid(pixel_size_nm)}, "labels"),
    ]


def paint_some(instances: NDArray[Any], count: int = _PAINTED) -> NDArray[np.uint8]:
    """Paint `count` whole particles of a plane ``(h, w)`` with label 1, a little rounder than they are.

    Taken are particles of middling size that touch no other and not the border.
    """
    from scipy import ndimage

    painting = np.zeros(instances.shape, np.uint8)
    for label in _paintable(instances)[:count]:
        round_mask = ndimage.gaussian_filter((instances == label).astype(np.float32), 2.0) > 0.45
        painting[round_mask] = 1
    return painting


def _paintable(instances: NDArray[Any]) -> list[int]:
    """Labels of the particles that stand free, those nearest to the median size first."""
    labels, areas = np.unique(instances[instances > 0], return_counts=True)
    area_of = dict(zip(labels.tolist(), areas.tolist(), strict=True))
    free = [label for label in area_of if _stands_free(instances, label)] or list(area_of)
    middle = float(np.median([area_of[label] for label in free])) if free else 0.0
    return sorted(free, key=lambda label: abs(area_of[label] - middle))


def _stands_free(instances: NDArray[Any], label: int) -> bool:
    """Whether nothing but background lies within three pixels of a particle, nor the border."""
    from scipy import ndimage

    mask = instances == label
    near = ndimage.binary_dilation(mask, iterations=3)
    border = near[0].any() or near[-1].any() or near[:, 0].any() or near[:, -1].any()
    return not border and not ((instances > 0) & ~mask & near).any()


def _stack() -> tuple[NDArray[Any], NDArray[np.uint8], NDArray[Any], float]:
    """Images, masks and instances; simulated once, which takes seconds, and then kept in the user's folder."""
    folder = home() / "samples" / f"gold-{_PLANES}x{_SIZE}-{__version__}"
    files = folder / "images.tif", folder / "instances.tif"
    if not all(file.is_file() for file in files):
        stack, _, numbered, pixel_size_nm = sample_stack(_PLANES, _SIZE, seed=_SEED)
        for file, array in zip(files, (stack, numbered), strict=True):
            write_image(file, array, pixel_size_nm, overwrite=True)
    images, instances = (read_image(file) for file in files)
    labels = np.asarray(instances.planes)
    return np.asarray(images.planes), (labels > 0).astype(np.uint8), labels, float(images.pixel_size_nm or 1.0)


def _grid(pixel_size_nm: float) -> dict[str, Any]:
    """Scale and units of the stack; its first axis counts images. Old napari know no units of layers."""
    grid: dict[str, Any] = {"scale": (1.0, pixel_size_nm, pixel_size_nm)}
    if _layers_have_units():
        grid |= {"units": ("pixel", "nm", "nm"), "axis_labels": ("image", "y", "x")}
    return grid


def _layers_have_units() -> bool:
    from napari.layers import Labels

    return hasattr(Labels, "units")
