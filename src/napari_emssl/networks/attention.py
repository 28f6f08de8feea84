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
