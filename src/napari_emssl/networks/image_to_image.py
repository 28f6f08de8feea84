"""What all generators have in common: a denoiser may add to the smoothed image and mix with the image itself.

A network that has to learn from a single noisy image spends its first minutes on learning to average over neighbours.
A Gaussian does that from the start, so the network learns only what the Gaussian loses. And one that learnt hidden
pixels from those around them takes no notice of the pixel itself, which holds information where there is little noise;
a share of it is put back (for the share see `training.finetuning.noise_start`).
"""

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDEST_SMOOTHING_PX = 5.0
"""The Gaussian reaches over 31 px then, less than any generator sees."""
_TRUNCATED = 3.0


class ImageToImage(nn.Module, ABC):
    """A network that maps images ``(b, 1, h, w)`` to ``(b, channels, h, w)``.

    Its attribute `stride` is what height and width must be multiples of, `receptive_field` the edge in pixels of what
    reaches one output pixel.
    """

    smoothing_px: float = 0.0
    """Standard deviation of the Gaussian to whose result the network adds its own output; 0: it adds to nothing."""
    image_share: float = 0.0
    """Share of the image itself in the result, 0 to 1."""

    @abstractmethod
    def output(self, x: Tensor) -> Tensor:
        """Return what the weights make of images ``(b, in, h, w)``: ``(b, channels, h, w)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, in, h, w)`` to ``(b, channels, h, w)``; h and w must be multiples of `stride`."""
        found = self.output(x)
        if self.smoothing_px:
            found = found.float() + smoothed(x, self.smoothing_px)
        if self.image_share:
            found = torch.lerp(found.float(), x.float().expand_as(found), self.image_share)
        return found


def smoothed(images: Tensor, sigma_px: float, border: Literal["reflect", "replicate"] = "reflect") -> Tensor:
    """Return images ``(b, 1, h, w)`` smoothed by a Gaussian, float32.

    Parameters
    ----------
    images
        Larger than the Gaussian's reach of three standard deviations where the border is mirrored.
    sigma_px
        Its standard deviation, above 0 to `WIDEST_SMOOTHING_PX`.
    border
        How images go on beyond their border.

    """
    reach = max(1, math.ceil(_TRUNCATED * sigma_px))
    distance = torch.arange(-reach, reach + 1, device=images.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (distance / sigma_px) ** 2)
    weights = weights / weights.sum()
    with torch.autocast(images.device.type, enabled=False):  # the eight bits of bf16 would show as steps
        extended = functional.pad(images.float(), (reach, reach, reach, reach), mode=border)
        down = functional.conv2d(extended, weights[None, None, :, None])
        return functional.conv2d(down, weights[None, None, None, :])
