"""The classifier that painted pixels make of the responses of filters."""

import numpy as np
import torch
from numpy.typing import NDArray

from ...networks.filter_classifier import HIDDEN, MEMBERS, FilterClassifier
from .memory import SeenPainting, draw_places, values_of
from .pixel_classifier import Fitted, fit_standardised

_LEARNT_PX = 4000
"""Painted pixels learnt from; more change little."""
_MOST_CLASSES = 32
"""With more, as where each object has a number of its own, probabilities of all classes would fill the memory."""


def fitted_filters(painting: SeenPainting, share: float, seed: int) -> FilterClassifier | None:
    """Fit a classifier to the responses of filters at painted pixels.

    What nobody has painted but lies around painted objects is learnt as background, too, where it is unlike the paint.
    It is not enough alone: filters would take all of an image for objects that differs from the edge of one.

    Parameters
    ----------
    painting
        Of at least one pixel of each class, as a network sees it that remembers it.
    share
        Of the filters in what they and the network answer together, 0 to 1.
    seed
        Decides which painted pixels are learnt from, and how the learning begins.

    Returns
    -------
    FilterClassifier or None
        None without a share, where a class or the background is not painted, or where there are too many classes.

    """
    classes, vectors, planes = painting.classes, painting.vectors, painting.planes
    if not share or classes > _MOST_CLASSES:
        return None
    by_hand = [plane.by_hand for plane in painting.painted]
    if not all(any((target == value).any() for target in by_hand) for value in range(1, classes + 1)):
        return None
    rng = np.random.default_rng(seed)
    masks = ([plane.target == value for plane in painting.painted] for value in range(1, classes + 1))
    ground, *objects = (draw_places(each, _LEARNT_PX // classes, rng) for each in masks)
    places = [_unlike_paint(painting, ground), *objects]
    found = values_of(places, lambda number, pixels: vectors.filters.at(planes[number], pixels))
    features = torch.cat(found, 1).T.cpu().numpy()
    numbers = np.repeat(np.arange(classes), [len(part) for part in places])
    fitted = fit_standardised(features, numbers, classes, seed=seed, members=MEMBERS, hidden=HIDDEN)
    return _classifier(fitted, classes, share).to(found[0].device)


def _unlike_paint(painting: SeenPainting, ground: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return places of background (plane, row, column) without those that nobody has painted and that are like paint.

    All of them, if none would be left.
    """
    kept = np.ones(len(ground), bool)
    for number in np.unique(ground[:, 0]):
        assumed = painting.painted[number].assumed
        if assumed is not None:
            here = np.flatnonzero(ground[:, 0] == number)
            unsure = here[assumed[tuple(ground[here, 1:].T)]]
            if len(unsure):
                kept[unsure] = painting.vectors.classes_at(painting.planes[number], ground[unsure, 1:]) == 0
    return ground[kept] if kept.any() else ground


def _classifier(fitted: Fitted, classes: int, share: float) -> FilterClassifier:
    """Return the network with what was fitted; its convolutions have outputs first."""
    classifier = FilterClassifier(classes, share).eval()
    hidden, hidden_bias, output, output_bias = fitted.weights
    arrays = {
        "mean": fitted.mean,
        "spread": fitted.spread,
        "hidden.weight": hidden.swapaxes(1, 2).reshape(MEMBERS * HIDDEN, -1, 1, 1),
        "hidden.bias": hidden_bias.reshape(-1),
        "output.weight": output.swapaxes(1, 2).reshape(MEMBERS * classes, -1, 1, 1),
        "output.bias": output_bias.reshape(-1),
    }
    classifier.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    return classifier
