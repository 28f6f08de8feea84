"""Simulated STEM images as files, in the layout of TEM-ImageNet."""

import csv
import io
import json
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...atomic_files import write_text
from ...data.datasets.simulated_folder import SimulationRecord, simulated_folder
from ...data.images.writers import write_image
from .settings import STEMSettings
from .simulate import STEMImage, simulate_stem

FileFormat = Literal["png", "tiff"]
T = TypeVar("T")

_SUFFIX = {"png": ".png", "tiff": ".tif"}
FOLDERS = (
    "image",
    "noNoise",
    "noBackgroundnoNoise",
    "noNoiseNoBackgroundSuperresolution",
    "noNoiseNoBackgroundUpinterpolation2x",
    "circularMask",
    "gaussianMask",
)
"""Folders of images, named as in TEM-ImageNet v1.3."""
_COLUMNS = ("column", "x_px", "y_px", "mean_z", "atoms", "intensity", "in_masks")
_WHITE_PERCENTILE, _BLACK_PERCENTILE = 99.9, 0.1
"""Of the grey values, so that single hot pixels do not decide the 8-bit scale."""


def as_planes(made: STEMImage) -> dict[str, NDArray[np.float32]]:
    """Return the planes of each folder: electrons per pixel, and masks from 0 to 1."""
    mask = made.circular_mask.astype(np.float32)
    planes = (made.image, made.no_noise, made.no_background, made.sharp, made.fine, mask, made.gaussian_mask)
    return dict(zip(FOLDERS, planes, strict=True))


def as_bytes(made: STEMImage) -> tuple[dict[str, NDArray[np.uint8]], dict[str, float]]:
    """Return the planes of each folder with 8 bits, and how they were scaled.

    The image and its expectation share one scale, (electrons - black) * gain; planes without background are
    electrons * gain. White is the 99.9th percentile of the image or the maximum of its expectation, whichever is
    more, and what lies beyond is cut; black is the least of them (the 0.1th percentile of the image). Masks go from 0
    to 255.
    """
    low, high = np.percentile(made.image, (_BLACK_PERCENTILE, _WHITE_PERCENTILE))
    black, white = min(float(low), float(made.no_noise.min())), max(float(high), float(made.no_noise.max()))
    gain = 255 / max(white - black, float(made.no_background.max()), 1e-30)
    scale = dict.fromkeys(FOLDERS, (0.0, gain)) | dict.fromkeys(FOLDERS[:2], (black, gain))
    scale |= dict.fromkeys(FOLDERS[5:], (0.0, 255.0))
    planes = {
        name: np.clip(np.rint((plane - scale[name][0]) * scale[name][1]), 0, 255).astype(np.uint8)
        for name, plane in as_planes(made).items()
    }
    return planes, {"black_electrons": black, "gain_per_electron": gain}


def write_stem(
    folder: Path | str,
    count: int,
    settings: STEMSettings | None = None,
    seed: int = 0,
    *,
    file_format: FileFormat = "png",
    workers: int = 2,
    overwrite: bool = False,
) -> Iterator[tuple[int, int]]:
    """Simulate images into a folder, with their truth in folders beside them under the same name.

    Writes the images of `FOLDERS`, ``positions/NNNNN.csv`` (columns of atoms), ``parameters/NNNNN.json`` (what was
    drawn, the 8-bit scale) and ``settings.json``. Image i depends on the settings, the seed and i only.

    Parameters
    ----------
    folder
        Made if it is not there.
    count
        Number of images.
    settings
        Specimen, probe, scan and detector.
    seed
        Of everything random.
    file_format
        ``png`` for 8 bits, ``tiff`` for float32: electrons per pixel, and the pixel size.
    workers
        Images that are made at the same time, at least 1.
    overwrite
        Take the place of an earlier simulation in this folder: when all images are made or no more are asked for.

    Yields
    ------
    done, count
        After each image.

    Raises
    ------
    UserError
        If there are images in the folder already and `overwrite` is false, if a file cannot be written, or if
        `simulate_stem` cannot use the settings.

    """
    settings, folder = settings or STEMSettings(), Path(folder)
    first = simulate_stem(settings, [seed, 0])  # settings that cannot be used raise here, before anything is touched
    record = SimulationRecord("stem", count, seed, settings.model_dump())
    kinds = (*FOLDERS, "positions", "parameters")
    with simulated_folder(folder, kinds, r"\d{5,}\.(png|tif|csv|json)", record, overwrite) as place:
        _write_one(place, 0, first, file_format, overwrite)
        yield 1, count

        def make(number: int) -> None:
            _write_one(place, number, simulate_stem(settings, [seed, number]), file_format, overwrite)

        with closing(_side_by_side(make, range(1, count), workers)) as others:
            for done, _ in enumerate(others, start=2):
                yield done, count


def simulate_several(settings: STEMSettings, count: int, seed: int, workers: int = 2) -> Iterator[STEMImage]:
    """Simulate the images that `write_stem` would write, several at a time.

    Parameters
    ----------
    settings
        Specimen, probe, scan and detector.
    count
        Number of images.
    seed
        Of everything random; image i depends on the settings, the seed and i only.
    workers
        Images that are made at the same time, at least 1.

    Returns
    -------
    iterator of STEMImage
        In order.

    Raises
    ------
    UserError
        From the iteration: what `simulate_stem` raises.
    """
    return _side_by_side(lambda number: simulate_stem(settings, [seed, number]), range(count), workers)


def _side_by_side(make: Callable[[int], T], numbers: range, workers: int) -> Generator[T]:
    """Make several at a time and yield them in order; ending the iteration cancels those that have not begun."""
    pool = ThreadPoolExecutor(workers)  # threads will do: numpy and scipy release the interpreter in their loops
    try:
        waiting = deque(pool.submit(make, number) for number in numbers)
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _write_one(folder: Path, number: int, made: STEMImage, file_format: FileFormat, overwrite: bool) -> None:
    """Write an image and all that is known of it."""
    name = f"{number:05d}"
    parameters = made.parameters | {"mask_radius_px": made.mask_radius_px}
    planes: Mapping[str, NDArray[np.generic]] = as_planes(made)
    if file_format == "png":
        planes, scale = as_bytes(made)
        parameters |= scale
    for kind, plane in planes.items():
        step = made.pixel_size_nm * made.image.shape[0] / plane.shape[0]
        write_image(folder / kind / (name + _SUFFIX[file_format]), plane, step, overwrite)
    write_text(folder / "positions" / f"{name}.csv", _table(made), overwrite)
    write_text(folder / "parameters" / f"{name}.json", json.dumps(parameters, indent=2) + "\n", overwrite)


def _table(made: STEMImage) -> str:
    """Columns of atoms, one per line."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(_COLUMNS)
    parts = (made.places_px, made.mean_z, made.atoms, made.electrons, made.in_masks)
    for i, ((y, x), z, atoms, electrons, chosen) in enumerate(zip(*parts, strict=True)):
        writer.writerow((i, f"{x:.3f}", f"{y:.3f}", f"{z:.4g}", int(atoms), f"{electrons:.5g}", int(chosen)))
    return lines.getvalue()
