"""Validation from few images, by holding out parts of them: the last planes of a stack, the lowest rows of a plane."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..images.intensity_scaling import IntensityScaling, Levels
from ..splits.held_out import Split
from .plane_stores import PlaneStore
from .sources import ImageCatalog

_LEAST_PLANES = 10
"""A stack of fewer planes is held out by rows: its neighbours are too much alike to give some away."""
_SHARE_OF_PLANES, _SHARE_OF_ROWS = 10, 5


class _Crop(NamedTuple):
    """Rows of a plane of a store."""

    plane: int
    top: int
    bottom: int


@dataclass(frozen=True)
class _Part:
    """One image of the catalog of parts."""

    name: str
    origin: str
    crops: tuple[_Crop, ...]
    held: bool


class CroppedPlanes:
    """A store whose planes are crops, some rows in full width, of the planes of another one."""

    def __init__(self, store: PlaneStore, crops: list[_Crop]) -> None:
        self._store, self._crops = store, crops
        widths = store.shapes[:, 1]
        edges = [(crop.bottom - crop.top, widths[crop.plane]) for crop in crops]
        self.shapes: NDArray[np.int64] = np.array(edges, np.int64).reshape(-1, 2)

    def read(self, number: int, top: int = 0, bottom: int | None = None) -> NDArray[np.number]:
        """Return rows of a crop.

        Parameters
        ----------
        number, top, bottom
            As in `PlaneStore.read`.

        Raises
        ------
        UserError
            If the plane it belongs to cannot be read.
        """
        crop = self._crops[number]
        end = crop.bottom if bottom is None else min(crop.top + bottom, crop.bottom)
        return self._store.read(crop.plane, crop.top + top, end)

    def levels(self, number: int, scaling: IntensityScaling) -> Levels | None:
        """Return the levels of the plane a crop belongs to, where they are known."""
        return self._store.levels(self._crops[number].plane, scaling)

    def is_cheap(self, number: int) -> bool:
        """Whether reading a crop costs no more than copying it."""
        return self._store.is_cheap(self._crops[number].plane)


def split_within_images(catalog: ImageCatalog, patch: int) -> tuple[ImageCatalog, Split]:
    """Cut every image into a part to learn from and a part that is held out.

    Of a stack of ten planes or more the last tenth is held out. Of the planes of other images the lowest fifth is, but
    at least `patch` rows; planes of which fewer than `patch` rows would be left are learnt from as a whole.

    Parameters
    ----------
    catalog
        The images.
    patch
        Edge of a patch, pixels.

    Returns
    -------
    catalog, split
        The parts as images, and which of them are for training and for validation.

    """
    parts = [part for image in range(len(catalog)) for part in _parts(catalog, image, patch)]
    parted = replace(
        catalog,
        names=[part.name for part in parts],
        origins=[part.origin for part in parts],
        counts=np.array([len(part.crops) for part in parts], np.int64),
        store=CroppedPlanes(catalog.store, [crop for part in parts for crop in part.crops]),
    )
    held = [number for number, part in enumerate(parts) if part.held]
    return parted, Split([number for number, part in enumerate(parts) if not part.held], held)


def _parts(catalog: ImageCatalog, image: int, patch: int) -> Iterator[_Part]:
    """Yield what is learnt from of an image, and what is held out if there is anything."""
    name, origin = catalog.names[image], catalog.origins[image]
    numbers = catalog.planes_of([image]).tolist()
    whole = [_Crop(number, 0, int(catalog.store.shapes[number, 0])) for number in numbers]
    learnt, held = _by_planes(whole) if len(whole) >= _LEAST_PLANES else _by_rows(whole, patch)
    yield _Part(name, origin, tuple(learnt), held=False)
    if held:
        yield _Part(f"{name} (held out)", origin, tuple(held), held=True)


def _by_planes(whole: list[_Crop]) -> tuple[list[_Crop], list[_Crop]]:
    cut = len(whole) - len(whole) // _SHARE_OF_PLANES
    return whole[:cut], whole[cut:]


def _by_rows(whole: list[_Crop], patch: int) -> tuple[list[_Crop], list[_Crop]]:
    learnt, held = [], []
    for crop in whole:
        cut = crop.bottom - max(patch, crop.bottom // _SHARE_OF_ROWS)
        if cut < patch:
            learnt.append(crop)
        else:
            learnt.append(crop._replace(bottom=cut))
            held.append(crop._replace(top=cut))
    return learnt, held
