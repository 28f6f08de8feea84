"""Particles of one plane: from labels to numbered instances and their table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..jobs.settings import MeasureSettings
from .properties import Columns, properties_of
from .split_touching import Fragments, cut_at_necks, join_fragments
from .table import LeftOut, ParticleTable

_MOST_CLASSES = 16
"""As many as a model may have: more values number the particles."""
_PIECE_PX = 9
"""Smaller pieces do not count as such: numbered particles have stray pixels, too."""
_PIECES_OF_A_CLASS = 2
"""Separate pieces of a value, on average, from which on values are classes."""
_SAME_NEIGHBOUR = 0.3
"""Least share of labelled pixels whose neighbour has the same label; particles of 2 px have about 0.5."""


@dataclass(frozen=True)
class Particles:
    """The particles of one plane."""

    instances: NDArray[np.int32]
    """Numbers ``(h, w)``, ascending without gaps, 0 on the background; the rows of `table` are in their order."""
    table: ParticleTable

    def kept(self, settings: MeasureSettings) -> "Particles":
        """Return the particles that the settings let count, numbered again from 1."""
        keep, left_out = _kept(self.table, settings)
        numbers = np.concatenate([[0], np.where(keep, np.cumsum(keep), 0)]).astype(np.int32)
        columns = {name: values[keep] for name, values in self.table.columns.items()}
        return Particles(numbers[self.instances], replace(self.table, columns=columns, left_out=left_out))

    def numbered_from(self, first: int) -> "Particles":
        """Return the same with numbers that count up from `first`, in the layer and in the table."""
        columns = dict(self.table.columns)
        columns["label"] = np.arange(first, first + len(self.table))
        numbers = np.concatenate([[0], columns["label"]]).astype(np.int32)
        instances = self.instances if first == 1 else numbers[self.instances]
        return Particles(instances, replace(self.table, columns=columns))


def plain_labels(plane: NDArray[np.generic], name: str) -> NDArray[np.int64]:
    """Return a plane ``(h, w)`` as whole numbers from 0 on; raises `UserError` where it holds something else."""
    if plane.dtype.kind == "f" and not np.array_equal(plane, np.rint(plane)):
        raise UserError(f"{name} holds grey values, not labels. Give a mask or numbered particles (whole numbers).")
    if plane.size and plane.min() < 0:
        raise UserError(f"{name} holds negative values. Labels are 0 on the background and positive on particles.")
    if plane.size and plane.max() > _largest_label(plane.dtype):
        raise UserError(
            f"{name} holds {plane.max():.0f}: numbers that large cannot be told apart safely ({plane.dtype}). Number "
            "the particles from 1 on, in an integer type."
        )
    return plane.astype(np.int64)


def _largest_label(dtype: np.dtype[np.generic]) -> int:
    """Up to where all whole numbers have a value of their own, in the type and in int64."""
    bits = {2: 11, 4: 24}.get(dtype.itemsize, 53) if dtype.kind == "f" else 63
    return (1 << bits) - 1


class Meaning(NamedTuple):
    """What the values of labels stand for."""

    mask: bool
    """Classes; otherwise each value numbers a particle."""
    doubt: str = ""
    """What speaks against it, or was not to be expected, as a sentence; empty where nothing does."""


def meaning_of(planes: Iterable[NDArray[np.generic]], settings: MeasureSettings, name: str) -> Meaning:
    """Find out what values mean; no plane is read beyond the second value other than 0.

    Parameters
    ----------
    planes
        Labels ``(h, w)``.
    settings
        Say it, or leave it open (``auto``): then a single value is a mask, and so are a few values of which most
        stand for several separate pieces.
    name
        What messages call the labels.

    Raises
    ------
    UserError
        Where values are classes and no pixel is 0, so that nothing says which of them is background.
    """
    if settings.labels != "auto":
        return Meaning(settings.labels == "mask")
    low, high = np.inf, -np.inf
    for plane in planes:
        found = plane[plane != 0]
        if found.size:
            low, high = min(low, found.min()), max(high, found.max())
        if low < high:
            return _meaning_of_several(plane, name)
    return Meaning(True)


def _meaning_of_several(plane: NDArray[np.generic], name: str) -> Meaning:
    """Whether several values are classes: then they stand for more pieces than there are values."""
    from skimage.measure import label  # late: it takes a moment, and a mask does not need it

    # by rank: numbers of any type, grey values too, which are refused later
    ranks = plane if plane.dtype.kind in "iu" and plane.dtype.itemsize < 8 else _ranks(plane)
    regions = label(ranks, background=0, connectivity=2)
    first = np.unique(regions, return_index=True)[1]
    of_region = plane.ravel()[first]
    sizes = np.bincount(regions.ravel())[regions.ravel()[first]]
    values, pieces = np.unique(of_region[(of_region != 0) & (sizes >= _PIECE_PX)], return_counts=True)
    scattered = int((pieces > 1).sum())
    if not scattered:
        return Meaning(False)
    if len(values) > _MOST_CLASSES or pieces.sum() < _PIECES_OF_A_CLASS * len(values):
        return Meaning(
            False,
            f"{scattered} of {len(values)} numbers of {name} stand for several separate pieces, and these are measured "
            "as one particle. If the values are classes, pass --labels mask.",
        )
    if plane.all():
        raise UserError(
            f"No pixel of {name} is 0, the background. Subtract the value of the background ({plane.min():.0f}?) from "
            "all pixels, then try again; if the values number particles, pass --labels numbered."
        )
    return Meaning(
        True,
        f"The {len(values)} values of {name} stand for {pieces.sum()} separate pieces, so they are taken for classes. "
        "If they number particles, pass --labels numbered.",
    )


def _ranks(plane: NDArray[np.generic]) -> NDArray[np.int64]:
    """Values numbered in their order, 0 as it is."""
    values, ranks = np.unique(plane, return_inverse=True)
    return np.where(plane == 0, 0, ranks.reshape(plane.shape) + (1 if values.size else 0))


def looks_grey(plane: NDArray[np.generic]) -> bool:
    """Whether most pixels differ from their neighbour, as in an image and unlike in labels."""
    same = (plane[:, 1:] == plane[:, :-1])[plane[:, 1:] != 0]
    return bool(same.size and same.mean() < _SAME_NEIGHBOUR)


def measure_mask(
    fragments: Fragments, split: float, intensity: NDArray[np.number] | None, pixel_size_nm: float | None
) -> Particles:
    """Measure the particles of a mask.

    Parameters
    ----------
    fragments
        The mask, cut at its necks.
    split
        Strength of the separation, see `join_fragments`.
    intensity
        Image ``(h, w)`` for the mean intensity, or None.
    pixel_size_nm
        None where it is unknown.

    """
    instances, classes = join_fragments(fragments, split)
    return Particles(instances, _table(instances, intensity, pixel_size_nm, {"class": classes[1:]}))


def measure_numbered(
    plane: NDArray[np.integer], intensity: NDArray[np.number] | None, pixel_size_nm: float | None
) -> Particles:
    """Measure particles that are numbered already, each as it is, in one piece or not.

    Parameters
    ----------
    plane
        Numbers ``(h, w)``, 0 on the background; the table keeps them.
    intensity
        Image ``(h, w)`` for the mean intensity, or None.
    pixel_size_nm
        None where it is unknown.

    """
    values, inverse = np.unique(plane, return_inverse=True)
    shift = 0 if values.size and values[0] == 0 else 1
    instances = (inverse.reshape(plane.shape) + shift).astype(np.int32)
    return Particles(instances, _table(instances, intensity, pixel_size_nm, {"label": values[1 - shift :]}))


def measure_plane(
    plane: NDArray[np.integer],
    mask: bool,
    settings: MeasureSettings,
    intensity: NDArray[np.number] | None = None,
    pixel_size_nm: float | None = None,
    fragments: Callable[[NDArray[np.integer]], Fragments] = cut_at_necks,
) -> Particles:
    """Measure one plane and keep what the settings let count.

    Parameters
    ----------
    plane
        Labels ``(h, w)``, integers, 0 on the background.
    mask
        Whether the values are classes; otherwise they number the particles.
    settings
        How particles are separated and which count.
    intensity
        Image ``(h, w)`` for the mean intensity.
    pixel_size_nm
        None where it is unknown.
    fragments
        Cuts the mask; another function than the default may remember what it cut before.

    """
    if mask:
        return measure_mask(fragments(plane), settings.split, intensity, pixel_size_nm).kept(settings).numbered_from(1)
    return measure_numbered(plane, intensity, pixel_size_nm).kept(settings)


def _table(
    instances: NDArray[np.int32],
    intensity: NDArray[np.number] | None,
    pixel_size_nm: float | None,
    more: Columns,
) -> ParticleTable:
    columns = properties_of(instances, intensity) | more
    columns["pixel_size_nm"] = np.full(len(columns["label"]), pixel_size_nm or np.nan)
    return ParticleTable(columns, pixel_size_nm is not None, pixel_size_nm is None)


def _kept(table: ParticleTable, settings: MeasureSettings) -> tuple[NDArray[np.bool_], LeftOut]:
    """Which rows count, and how many do not, for the first reason that holds."""
    unit = np.nan_to_num(table.columns["pixel_size_nm"], nan=1.0)
    diameter = table.columns["equivalent_diameter"] * unit
    cut = np.asarray(table.columns["touches_border"] & settings.exclude_border, bool)
    speck = ~cut & (table.columns["area"] < settings.min_pixels)
    within = np.asarray(diameter >= settings.min_diameter)
    if settings.max_diameter is not None:
        within &= diameter <= settings.max_diameter
    keep = within & ~cut & ~speck
    return keep, LeftOut(int(cut.sum()), int(speck.sum()), int((~within & ~cut & ~speck).sum()))
