"""Particles of one plane: from labels to numbered instances and their table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..jobs.settings import MeasureSettings
from .properties import Columns, properties_of
from .split_touching import Fragments, cut_at_necks, join_fragments
from .table import LeftOut, ParticleTable

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
    return plane.astype(np.int64)


def is_mask(planes: Iterable[NDArray[np.generic]], settings: MeasureSettings) -> bool:
    """Whether the values of these planes are classes; no plane is read beyond the second value other than 0."""
    if settings.labels != "auto":
        return settings.labels == "mask"
    low, high = np.inf, -np.inf
    for plane in planes:
        found = plane[plane != 0]
        if found.size:
            low, high = min(low, found.min()), max(high, found.max())
        if low < high:
            return False
    return True


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
