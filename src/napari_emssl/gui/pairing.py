"""Which painting belongs to which image. No Qt."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .layers import METADATA_KEY

ALL_PAINTED = "all painted"
"""What the name of a layer of fully annotated regions ends with."""


def painting_of(image: Any, paintings: Iterable[Any]) -> Any:
    """Return the painting of an image: the newest one named after it, else the only one on its grid, else None.

    Results of models are on the grid of their image, too, and no painting unless they are named as one.
    """
    if image is None:
        return None
    on_grid = [labels for labels in paintings if shape_of(labels) == shape_of(image)]
    named = [labels for labels in on_grid if labels.name.startswith(f"{image.name} | painting")]
    drawn = [labels for labels in on_grid if "model" not in labels.metadata.get(METADATA_KEY, {})]
    return named[-1] if named else drawn[0] if len(drawn) == 1 else None


def regions_of_image(image: Any, shapes: Iterable[Any]) -> Any:
    """Return the newest Shapes layer named after an image, else None: images often lie on top of each other."""
    named = [layer for layer in shapes if image is not None and layer.name.startswith(f"{image.name} | {ALL_PAINTED}")]
    return named[-1] if named else None


def shape_of(layer: Any) -> tuple[int, ...]:
    """Return the shape of a layer's grid, colours left out."""
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(int(n) for n in (data.shape[:-1] if getattr(layer, "rgb", False) else data.shape))


def lie_alike(one: Any, other: Any) -> bool:
    """Whether two layers of one shape cover each other in the viewer."""
    corners = np.array([[0] * one.ndim, [n - 1 for n in shape_of(one)]])
    ours, theirs = (np.array([layer.data_to_world(corner) for corner in corners]) for layer in (one, other))
    pixel = np.abs(np.asarray(one.scale, float)) / 2
    return bool((np.abs(ours - theirs) <= pixel).all())
