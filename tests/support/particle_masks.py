"""Masks of particles, and what is measured in them."""

import numpy as np
from hypothesis import settings
from hypothesis.extra import numpy as hnp

import napari_emssl as em

QUICK = settings(max_examples=60, deadline=None)
MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24))


EVERYTHING = {"exclude_border": False, "min_pixels": 0}
"""Settings by which all that is in a mask is measured."""


def disc(shape, y, x, diameter):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= diameter**2 / 4


def table_of(mask, **values):
    """Measure everything in a mask, what is cut by the border and specks too, unless `values` say otherwise."""
    return em.measure_particles(mask, settings=em.MeasureSettings(**{**EVERYTHING, **values}))


def image_of(mask, size, name="image"):
    return em.Image(name, mask[None], (), size)
