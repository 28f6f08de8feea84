"""Colours of paint and of predictions: saturated and half bright, seen on dark and on bright particles. No Qt."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

_COLOURS = (
    (1.0, 0.42, 0.0), (0.12, 0.56, 1.0), (0.93, 0.16, 0.72), (0.0, 0.72, 0.36),
    (0.62, 0.32, 1.0), (0.85, 0.68, 0.0), (0.0, 0.7, 0.75), (0.95, 0.2, 0.2),
)  # fmt: skip
"""Of labels 1, 2, ...; the first two, orange and blue, are told apart by everybody."""
_FILL, _RIM = 0.22, 1.0
"""Opacity of what is predicted, and of its contour."""
_MOST_LABELS = 127
_PLANE_PX = 700
"""The contour is one pixel wide for each so many of a plane's edge, so that it is seen when the whole plane is."""


def painting_colours() -> "CyclicLabelColormap":
    """Return the colours of paint."""
    return _cyclic(_COLOURS)


def result_colours() -> "CyclicLabelColormap":
    """Return the colours of results: those of a new painting, in which background has the second label."""
    particles, background, *others = _COLOURS
    return _cyclic((particles, *others, background))


def _cyclic(colours: Sequence[tuple[float, float, float]]) -> "CyclicLabelColormap":
    from napari.utils.colormaps import CyclicLabelColormap

    return CyclicLabelColormap(colors=[(0.0, 0.0, 0.0, 0.0), *((*colour, 1.0) for colour in colours)])


def colour_of(label: int, painting: "Labels | None" = None) -> tuple[float, float, float]:
    """Return the colour ``(r, g, b)``, in [0, 1], of a label in a painting, or of one in a new painting."""
    painted = painting.get_color(label) if painting is not None else None
    if painted is None or not painted[3]:  # hidden, as all but the selected label may be
        painted = (*_COLOURS[(label - 1) % len(_COLOURS)], 1.0)
    red, green, blue, _ = painted
    return float(red), float(green), float(blue)


def outlined(labels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return predicted labels ``(h, w)`` whose rims have numbers of their own, see `outline_colours`."""
    highest = int(labels.max(initial=0))
    if highest > _MOST_LABELS:
        return labels
    plain = labels.astype(np.uint8)
    width = max(round(min(labels.shape) / _PLANE_PX), 1)
    rim = np.zeros(labels.shape, bool)
    for axis, step in ((0, width), (1, width)):
        moved = np.moveaxis(plain, axis, 0)
        edge = np.moveaxis(rim, axis, 0)
        unlike = moved[step:] != moved[:-step]
        edge[step:] |= unlike
        edge[:-step] |= unlike
    rim &= plain > 0
    plain[rim] += _MOST_LABELS + 1
    return plain


def outline_colours(labels: Iterable[int], painting: "Labels | None" = None) -> "DirectLabelColormap":
    """Return the colours of `outlined` predictions: a strong contour with a light fill, as what was painted.

    Parameters
    ----------
    labels
        The labels that are predicted.
    painting
        The layer that they were painted in; None: one with the colours of a new painting.

    """
    from napari.utils.colormaps import DirectLabelColormap

    nothing = np.zeros(4)
    colours: dict[int | None, NDArray[np.float64]] = {None: nothing, 0: nothing}
    for label in labels:
        if label <= _MOST_LABELS:
            colours[label] = np.array((*colour_of(label, painting), _FILL))
            colours[label + _MOST_LABELS + 1] = np.array((*colour_of(label, painting), _RIM))
        else:
            colours[label] = np.array((*colour_of(label, painting), 2 * _FILL))
    return DirectLabelColormap(color_dict=colours)
