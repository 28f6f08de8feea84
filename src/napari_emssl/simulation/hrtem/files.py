"""Simulated HRTEM images as files, each with its truth under the same name."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.datasets.simulated_folder import SimulationRecord, simulated_folder
from ...data.images.writers import write_image
from .settings import HRTEMSettings
from .simulate import HRTEMImage, as_counts, simulate_hrtem
from .specimen import check_field

_FOLDERS = ("images", "targets", "instances")


def write_hrtem(
    folder: Path | str, count: int, settings: HRTEMSettings | None = None, seed: int = 0, overwrite: bool = False
) -> Iterator[tuple[int, int]]:
    """Simulate images into a folder, each with its truth under the same name.

    Writes ``images/NNNNN.tif`` (uint16 counts), ``targets/NNNNN.tif`` (uint8: 1 on particles), ``instances/NNNNN.tif``
    (uint16), all ImageJ TIFF with the pixel size, and ``settings.json``. Image i depends on seed and i only.

    Parameters
    ----------
    folder
        Made if it is not there.
    count
        Number of images.
    settings
        Specimen, microscope and camera.
    seed
        Of everything random.
    overwrite
        Take the place of an earlier simulation in this folder, when all images are made or no more are asked for.

    Yields
    ------
    done, count
        After each image.

    Raises
    ------
    UserError
        If there are images in the folder already and `overwrite` is false, if a file cannot be written, or if
        `simulate_hrtem` cannot use the settings.

    """
    settings, folder = settings or HRTEMSettings(), Path(folder)
    check_field(settings)
    record = SimulationRecord("hrtem", count, seed, settings.model_dump())
    with simulated_folder(folder, _FOLDERS, r"\d{5}\.tif", record, overwrite) as place:
        for i in range(count):
            _write_one(place, f"{i:05d}.tif", simulate_hrtem(settings, [seed, i]), overwrite)
            yield i + 1, count


def _write_one(folder: Path, name: str, made: HRTEMImage, overwrite: bool) -> None:
    """Write an image, its mask and its instances."""
    planes: tuple[NDArray[np.integer], ...] = (as_counts(made.image), made.mask, made.labels)
    for kind, plane in zip(_FOLDERS, planes, strict=True):
        write_image(folder / kind / name, plane, made.pixel_size_nm, overwrite)
