"""File > Open Sample > EM SSL for electron micrographs: simulated micrographs whose truth is known. No Qt of its own.

Each is simulated once, which takes seconds, and then kept in the user's folder.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...data.formats.axes import PlaneAxis
from ...data.formats.units import PixelNm
from ...data.images.intensity_scaling import IntensityScaling
from ...data.images.opening import read_image
from ...data.images.user_folder import home
from ...data.images.writers import write_image
from ...simulation.hrtem.sample_data import PLANES, SEED, SIZE_PX, paint_first, sample_stack
from ..layers.colours import painting_colours
from ..threads.blocking import run_blocking
from .reader import LayerData, grid_options

_GOLD, _CRYSTAL, _FILM = "Gold nanoparticles", "SrTiO3", "Gold film"

Arrays = Mapping[str, tuple[NDArray[Any], float]]
"""Arrays and their pixel size in nm, by name."""


def nanoparticles() -> list[LayerData]:
    """Return a stack ``(4, 512, 512)`` of simulated HRTEM images and, hidden, its true mask, with pixel size in nm."""
    images, instances = _gold()
    masks = (instances[0] > 0).astype(np.uint8), instances[1]
    return [_image(_GOLD, images), _labels(f"{_GOLD} | truth", masks, visible=False)]


def painted_nanoparticles() -> list[LayerData]:
    """Return the same stack with three particles of the first plane painted, as one would by hand."""
    painting = _gold()[1]
    return [
        *nanoparticles(),
        _labels(f"{_GOLD} | painting", (paint_first(painting[0]), painting[1]), colormap=painting_colours()),
    ]


def stem_pair() -> list[LayerData]:
    """Return the edge of a crystal as simulated by ADF-STEM at a low dose, above three hidden truths.

    They are without noise, without noise and background, and the latter on a grid of half the step.
    """
    from ...simulation.stem.sample_data import PIXEL_NM, simulate_pair

    def simulate() -> Arrays:
        return {name: (plane, PIXEL_NM / (2 if name == "fine" else 1)) for name, plane in simulate_pair().items()}

    kept = _kept("stem-pair", ("fine", "flat", "clean", "noisy"), simulate)
    quarter = -PIXEL_NM / 4  # where the first pixel of the finer grid lies
    fine = _image(f"{_CRYSTAL} | fine", kept["fine"], visible=False, translate=(quarter, quarter))
    truths = [_image(f"{_CRYSTAL} | {name}", kept[name], visible=False) for name in ("flat", "clean")]
    return [fine, *truths, _image(f"{_CRYSTAL} | noisy", kept["noisy"])]


def stem_film() -> list[LayerData]:
    """Return eight frames of gold particles that drift, at a very low dose, above the hidden truth."""
    from ...simulation.stem.sample_data import PIXEL_NM, simulate_film

    def simulate() -> Arrays:
        return {name: (frames, PIXEL_NM) for name, frames in zip(("noisy", "clean"), simulate_film(), strict=True)}

    kept = _kept("stem-film", ("noisy", "clean"), simulate)
    return [_image(f"{_FILM} | clean", kept["clean"], visible=False), _image(f"{_FILM} | noisy", kept["noisy"])]


def _gold() -> tuple[tuple[NDArray[Any], float], tuple[NDArray[Any], float]]:
    """Images and instances of the HRTEM sample."""

    def simulate() -> Arrays:
        stack, _, numbered, pixel_size_nm = sample_stack(PLANES, SIZE_PX, seed=SEED)
        return {"images": (stack, pixel_size_nm), "instances": (numbered, pixel_size_nm)}

    kept = _kept(f"gold-{PLANES}x{SIZE_PX}", ("images", "instances"), simulate)
    return kept["images"], kept["instances"]


def _kept(sample: str, names: tuple[str, ...], simulate: Callable[[], Arrays]) -> Arrays:
    """Read a sample from the user's folder; what is not there is simulated and written first."""
    folder = home() / "samples" / f"{sample}-{__version__}"
    files = {name: folder / f"{name}.tif" for name in names}

    def make(_: Callable[[], None]) -> None:
        for name, (array, pixel_size_nm) in simulate().items():
            write_image(files[name], array, pixel_size_nm, overwrite=True)

    if not all(file.is_file() for file in files.values()):
        run_blocking(make, "Simulating the sample")
    read = {name: read_image(file) for name, file in files.items()}
    arrays = {
        name: np.asarray(image.planes).reshape(*image.leading, *image.plane_shape) for name, image in read.items()
    }
    return {name: (arrays[name], float(read[name].pixel_size_nm or 1.0)) for name in names}


def _image(name: str, kept: tuple[NDArray[Any], float], **options: Any) -> LayerData:
    """Make an image layer; a few bright pixels would make the rest dull, so that they do not decide the contrast."""
    array, pixel_size_nm = kept
    contrast = tuple(IntensityScaling().fit(array))
    return array, {"name": name, "contrast_limits": contrast, **_grid(array.ndim, pixel_size_nm), **options}, "image"


def _labels(name: str, kept: tuple[NDArray[Any], float], **options: Any) -> LayerData:
    return kept[0], {"name": name, **_grid(kept[0].ndim, kept[1]), **options}, "labels"


def _grid(axes: int, pixel_size_nm: float) -> dict[str, Any]:
    """Scale and units; the first of three axes counts images."""
    square = PixelNm(pixel_size_nm, pixel_size_nm)
    return {**grid_options((PlaneAxis(),) * (axes - 2), square), "axis_labels": ("image", "y", "x")[-axes:]}
