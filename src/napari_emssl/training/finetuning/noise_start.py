"""Where denoising without clean images begins, and how much of the noisy image its result keeps.

It begins with whatever foretells the targets best: the start as it is, or the image smoothed by a Gaussian, whose width
the targets choose as well (Batson & Royer 2019, Noise2Self, arXiv 1901.11365). In the second case the
network begins at zero and learns what the Gaussian loses.

What learnt hidden pixels takes no notice of the pixel itself. Of two independent estimates of one value, with variances
e (the prediction) and n (the noise), the best mean gives the pixel the share e / (e + n). Hidden pixels differ from
their predictions by e + n; n is measured in the image.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise, product

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
_MEASURED, _WIDEST_PX = 4, 512
"""Parts that are measured, and their largest edge: to compare everything on them takes about a second."""
_FEW_PX = 2**19
"""Parts of fewer pixels in all have pixels hidden twice: a hidden pixel tells little."""


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
    """Return at most four parts, up to 512 px wide and high, of the first planes; small planes whole, or halved."""
    first = list(islice(planes, _MEASURED))
    rows, columns = (2 if len(first) <= most else 1 for most in (_MEASURED // 2, _MEASURED // 4))
    return [part for plane in first for part in _spread_parts(plane, rows, columns)]


def _spread_parts(plane: LabelledPlane, rows: int, columns: int) -> Iterator[LabelledPlane]:
    """Divide a plane into so many parts along each axis where it is large, and yield the middle of each."""
    height, width = plane.image.shape
    for place in product(_middles(height, rows), _middles(width, columns)):
        yield LabelledPlane(plane.image[place], plane.target[place])


def _middles(length: int, count: int) -> list[slice]:
    borders = np.linspace(0, length, min(count, -(-length // _WIDEST_PX)) + 1).astype(int)
    return [_middle(int(begin), int(end)) for begin, end in pairwise(borders)]


def _middle(begin: int, end: int) -> slice:
    first = begin + max(0, end - begin - _WIDEST_PX) // 2
    return slice(first, min(first + _WIDEST_PX, end))


def hidden_twice_where_few(parts: Sequence[LabelledPlane], reach_px: tuple[int, int]) -> list[LabelledPlane]:
    """Return parts with pixels hidden, always the same ones; each part twice, differently, where parts are small.

    Parameters
    ----------
    parts
        Their targets are whole noisy planes.
    reach_px
        How far noise is correlated along y and x.

    """
    times = 2 if sum(part.image.size for part in parts) <= _FEW_PX else 1
    return [hidden(part, reach_px, seed) for seed in range(times) for part in parts]


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
