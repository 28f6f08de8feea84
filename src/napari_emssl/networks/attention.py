"""Pixels told apart by those that were painted: attention of every pixel over the painted ones.

A network gives each pixel a vector; a pixel belongs to the class whose painted pixels have vectors like its own. In the
terms of Vinyals et al. 2016 (matching networks, arXiv 1606.04080) the painted pixels are the support set and the
attention is a softmax over cosine similarities; as their number differs from class to class, each class counts with the
mean over its pixels.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def unit_vectors(features: Tensor) -> Tensor:
    """Return features ``(b, c, h, w)`` as unit vectors of pixels ``(b, c, h * w)``, float32."""
    return functional.normalize(features.float(), dim=1).flatten(2)


def class_logits(pixels: Tensor, painted: Sequence[Tensor], sharpness: Tensor | float) -> Tensor:
    """Return the logit of every class for every pixel, ``(classes, n)``.

    Parameters
    ----------
    pixels
        Unit vectors ``(c, n)``.
    painted
        For each class the unit vectors of its painted pixels, ``(c, m)``, at least one.
    sharpness
        Factor of the cosine similarity, above 0: the inverse temperature.

    """
    return torch.stack(
        [torch.logsumexp((sharpness * vectors.T) @ pixels, 0) - math.log(vectors.shape[1]) for vectors in painted]
    )


def class_logits_of_batch(pixels: Tensor, painted: Tensor, sharpness: Tensor | float) -> Tensor:
    """Return the logits of `class_logits` for several images at once, ``(b, classes, n)``.

    Parameters
    ----------
    pixels
        Unit vectors ``(b, c, n)``.
    painted
        Unit vectors of painted pixels, of each class as many, ``(b, classes, m, c)``.
    sharpness
        As in `class_logits`.

    """
    batch, classes, count, channels = painted.shape
    similarity = torch.bmm(sharpness * painted.reshape(batch, classes * count, channels), pixels)
    return torch.logsumexp(similarity.view(batch, classes, count, -1), 2) - math.log(count)


def log_odds(logits: Tensor, dim: int = 0) -> Tensor:
    """Return, for each class but the first along `dim`, how much likelier than all others together it is.

    The result has one class less along `dim`; its values are natural logarithms of odds.
    """
    classes = logits.shape[dim]
    rows = logits.unbind(dim)
    odds = [
        rows[one] - torch.logsumexp(torch.stack([rows[other] for other in range(classes) if other != one]), 0)
        for one in range(1, classes)
    ]
    return torch.stack(odds, dim)
