"""Collages written to a folder, each with its truth under the same name."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.datasets.simulated_folder import SimulationRecord, simulated_folder
from ...data.datasets.sources import open_sources
from ...data.images.writers import write_image
from .collage import Collage, CollageMaker
from .settings import CollageSettings
from .textures import Textures, random_textures

_FOLDERS = ("images", "targets", "instances")
_MOST_MICROGRAPHS = 512
"""Of more planes, some spread evenly over all are read: they are held in memory."""


def read_micrographs(paths: Sequence[Path | str]) -> Iterator[NDArray[np.generic]]:
    """Yield planes ``(h, w)`` of files and folders, 512 at most; raises `UserError` when no image can be read."""
    catalog = open_sources(paths)
    total = int(catalog.counts.sum())
    for number in np.unique(np.linspace(0, total - 1, min(total, _MOST_MICROGRAPHS)).round().astype(int)):
        yield catalog.store.read(int(number))


def write_collages(
    folder: Path | str,
    count: int,
    micrographs: Iterable[NDArray[np.generic]] | None = None,
    settings: CollageSettings | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> Iterator[tuple[int, int]]:
    """Make collages and write each with its truth.

    Writes ``images/NNNNN.tif`` (uint8), ``targets/NNNNN.tif`` (uint8: 0 ground, then a number for each kind of
    objects), ``instances/NNNNN.tif`` (uint16: a number for each object) and ``settings.json``. Collage i depends on
    micrographs, settings, seed and i only.

    Parameters
    ----------
    folder
        Made if it is not there.
    count
        Number of collages.
    micrographs
        Planes ``(h, w)`` to cut from, any real dtype; None: `random_textures`.
    settings
        What is drawn.
    seed
        Of everything random.
    overwrite
        Take the place of an earlier simulation in this folder, when all images are made or no more are asked for.

    Yields
    ------
    done, count
        After each collage.

    Raises
    ------
    UserError
        When there are images in the folder already and `overwrite` is false, when a file cannot be written, or when no
        micrograph is large enough.

    """
    settings, folder = settings or CollageSettings(), Path(folder)
    textures = Textures(random_textures(seed=seed) if micrographs is None else micrographs)
    maker = CollageMaker(textures, settings, seed)
    record = SimulationRecord("collage", count, seed, settings.record())
    with simulated_folder(folder, _FOLDERS, r"\d{5}\.tif", record, overwrite) as place:
        for number in range(count):
            _write_one(place, f"{number:05d}.tif", maker(number), overwrite)
            yield number + 1, count


def _write_one(folder: Path, name: str, made: Collage, overwrite: bool) -> None:
    """Write a collage, its kinds and its objects."""
    grey = np.rint(made.image.clamp(0, 1).numpy() * 255).astype(np.uint8)
    planes = (grey, made.kinds.numpy(), made.numbers.numpy().astype(np.uint16))
    for kind, plane in zip(_FOLDERS, planes, strict=True):
        write_image(folder / kind / name, plane, None, overwrite)
