"""Where denoising without clean images begins, and how much of the noisy image its result keeps.

It begins with whatever foretells the targets best: the start as it is, or the image smoothed by a Gaussian, whose width
the targets choose as well (Batson & Royer 2019, Noise2Self, arXiv 1901.11365). In the second case the
network begins at zero and learns what the Gaussian loses.

What learnt hidden pixels takes no notice of the pixel itself. Of two independent estimates of one value, with variances
e (the prediction) and n (the noise), the best mean gives the pixel the share e / (e + n). Hidden pixels differ from
their predictions by e + n; n is measured in the image.
"""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch
from torch import nn

from ...data.patches.labelled import LabelledPlane
from ...data.patches.masked_pixels import hide, noise_variance
from ...networks.convolution import Head
from ...networks.image_to_image import WIDEST_SMOOTHING_PX, smoothed

SMOOTHINGS_PX = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.5, WIDEST_SMOOTHING_PX)
"""Standard deviations that are compared; between two of them little changes."""
_LEAST_SHARE = 0.06
"""Smaller shares gain less than a quarter of a decibel, which an error of the measured noise may cost."""
_MEASURED, _WIDEST_PX = 4, 1024
"""Planes that are measured, and how much of them along each axis."""


def best_smoothing(pairs: Sequence[LabelledPlane]) -> tuple[float, float]:
    """Return the width in pixels of the Gaussian that foretells targets best, and its mean squared error.

    Parameters
    ----------
    pairs
        Planes, and what is asked of them, NaN elsewhere; not empty.

    """
    losses = [float(np.mean([_loss(pair, sigma) for pair in pairs])) for sigma in SMOOTHINGS_PX]
    best = int(np.argmin(losses))
    return SMOOTHINGS_PX[best], losses[best]


def _loss(pair: LabelledPlane, sigma_px: float) -> float:
    found = smoothed(torch.from_numpy(pair.image)[None, None], sigma_px)[0, 0].numpy()
    return float(np.nanmean((found - pair.target) ** 2))


def silence(network: nn.Module) -> None:
    """Let a network begin with an output of zero: the weights of its last convolutions become 0."""
    for module in network.modules():
        if isinstance(module, Head):
            nn.init.zeros_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def parts_of(planes: Sequence[LabelledPlane]) -> list[LabelledPlane]:
    """Return the middles, at most 1024 px wide and high, of the first planes."""
    return [_middle(plane) for plane in islice(planes, _MEASURED)]


def _middle(plane: LabelledPlane) -> LabelledPlane:
    starts = [max(0, edge - _WIDEST_PX) // 2 for edge in plane.image.shape]
    place = tuple(slice(start, start + _WIDEST_PX) for start in starts)
    return LabelledPlane(plane.image[place], plane.target[place])


def hidden(plane: LabelledPlane, reach_px: tuple[int, int], seed: int) -> LabelledPlane:
    """Return a plane with pixels hidden, and their values as its target.

    Parameters
    ----------
    plane
        Its target is the whole noisy plane.
    reach_px
        How far noise is correlated along y and x.
    seed
        Decides which pixels.

    """
    return LabelledPlane(*hide(plane.image, plane.target, reach_px, np.random.default_rng(seed)))


def share_of_the_image(loss: float, planes: Sequence[LabelledPlane]) -> float:
    """Return the share of the noisy image that makes the result best, 0 where it would be small.

    Parameters
    ----------
    loss
        Mean squared difference of hidden pixels of these planes from their prediction.
    planes
        Their targets are whole noisy planes, whose noise is independent from pixel to pixel.

    """
    noise = float(np.mean([noise_variance(plane.target) for plane in planes]))
    share = 1 - noise / loss if loss > 0 else 0.0
    return round(share, 3) if share >= _LEAST_SHARE else 0.0
