"""Few images are held out in parts: the last planes of a stack, the lowest rows of a plane."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..images.intensity_scaling import IntensityScaling, Levels
from .plane_stores import PlaneStore
from .sources import ImageCatalog
from .splits import Split

_LEAST_PLANES = 10
"""A stack of fewer planes is held out by rows: its neighbours are too much alike to give some away."""
_SHARE_OF_PLANES, _SHARE_OF_ROWS = 10, 5


class _Piece(NamedTuple):
    """Rows of a plane of a store."""

    plane: int
    top: int
    bottom: int


@dataclass(frozen=True)
class _Part:
    """One image of the divided catalogue."""

    name: str
    source: str
    pieces: tuple[_Piece, ...]
    held: bool


class CroppedPlanes:
    """A store whose planes are pieces, whole rows, of the planes of another one."""

    def __init__(self, store: PlaneStore, pieces: list[_Piece]) -> None:
        self._store, self._pieces = store, pieces
        widths = store.shapes[:, 1]
        edges = [(piece.bottom - piece.top, widths[piece.plane]) for piece in pieces]
        self.shapes: NDArray[np.int64] = np.array(edges, np.int64).reshape(-1, 2)

    def read(self, number: int, top: int = 0, bottom: int | None = None) -> NDArray[np.number]:
        """Return rows of a piece, see `PlaneStore`."""
        piece = self._pieces[number]
        end = piece.bottom if bottom is None else min(piece.top + bottom, piece.bottom)
        return self._store.read(piece.plane, piece.top + top, end)

    def levels(self, number: int, scaling: IntensityScaling) -> Levels | None:
        """Return the levels of the plane a piece belongs to, where they are known."""
        return self._store.levels(self._pieces[number].plane, scaling)

    def is_cheap(self, number: int) -> bool:
        """Whether reading a piece costs no more than copying it."""
        return self._store.is_cheap(self._pieces[number].plane)


def split_within_images(catalogue: ImageCatalog, patch: int) -> tuple[ImageCatalog, Split]:
    """Cut every image into a part to learn from and a part that is held out.

    A stack of ten planes or more gives its last tenth. Of the planes of others the lowest fifth, and at least `patch`
    rows, is held out; those of which less than that would be left are learnt from as a whole.

    Parameters
    ----------
    catalogue
        The images.
    patch
        Edge of a patch, pixels.

    """
    parts = [part for image in range(len(catalogue)) for part in _parts(catalogue, image, patch)]
    divided = replace(
        catalogue,
        names=[part.name for part in parts],
        sources=[part.source for part in parts],
        counts=np.array([len(part.pieces) for part in parts], np.int64),
        store=CroppedPlanes(catalogue.store, [piece for part in parts for piece in part.pieces]),
    )
    held = [number for number, part in enumerate(parts) if part.held]
    return divided, Split([number for number, part in enumerate(parts) if not part.held], held)


def _parts(catalogue: ImageCatalog, image: int, patch: int) -> Iterator[_Part]:
    """Yield what is learnt from of an image, and what is held out if there is anything."""
    name, source = catalogue.names[image], catalogue.sources[image]
    numbers = catalogue.planes_of([image]).tolist()
    whole = [_Piece(number, 0, int(catalogue.store.shapes[number, 0])) for number in numbers]
    learnt, held = _by_planes(whole) if len(whole) >= _LEAST_PLANES else _by_rows(whole, patch)
    yield _Part(name, source, tuple(learnt), held=False)
    if held:
        yield _Part(f"{name} (held out)", source, tuple(held), held=True)


def _by_planes(whole: list[_Piece]) -> tuple[list[_Piece], list[_Piece]]:
    cut = len(whole) - len(whole) // _SHARE_OF_PLANES
    return whole[:cut], whole[cut:]


def _by_rows(whole: list[_Piece], patch: int) -> tuple[list[_Piece], list[_Piece]]:
    learnt, held = [], []
    for piece in whole:
        cut = piece.bottom - max(patch, piece.bottom // _SHARE_OF_ROWS)
        if cut < patch:
            learnt.append(piece)
        else:
            learnt.append(piece._replace(bottom=cut))
            held.append(piece._replace(top=cut))
    return learnt, held
