"""The pretext task: clean patches in, corrupted patches out, a whole batch at a time on its own device.

Strengths are drawn per image; the paper names Gaussian noise and blurring but no strengths, so the ranges are ours.
"""

import torch
from torch import Tensor
from torch.nn import functional


def corrupt(
    clean: Tensor,
    noise: tuple[float, float],
    blur: tuple[float, float],
    generator: torch.Generator | None = None,
    batch: tuple[int, int] | None = None,
) -> Tensor:
    """Blur every image of a batch, then add Gaussian noise, as a microscope and its detector do.

    Parameters
    ----------
    clean
        ``(b, 1, h, w)``, scaled to about [0, 1].
    noise
        Least and most standard deviation of the noise, in units of the scaled intensity.
    blur
        Least and most standard deviation of the blur, in pixels.
    generator
        Source of randomness on the device of `clean`.
    batch
        When `clean` is a part of a larger batch: where it begins there, and the size of the whole. The part is then
        corrupted as it would be within the whole.

    Returns
    -------
    Tensor
        ``(b, 1, h, w)``, not clipped.

    """
    first, count = batch or (0, len(clean))
    part = slice(first, first + len(clean))
    sigmas = _uniform(count, blur, clean, generator)[part]
    strengths = _uniform(count, noise, clean, generator)[part]
    blurred = gaussian_blur(clean, sigmas, blur[1]) if blur[1] > 0 else clean
    whole = (count, *clean.shape[1:])
    white = torch.randn(whole, generator=generator, device=clean.device, dtype=clean.dtype)[part]
    return blurred + strengths.view(-1, 1, 1, 1) * white


def gaussian_blur(images: Tensor, sigmas: Tensor, largest: float) -> Tensor:
    """Blur every image of a batch by a Gaussian of its own.

    Parameters
    ----------
    images
        ``(b, 1, h, w)``.
    sigmas
        Standard deviation for each image, pixels, ``(b,)``.
    largest
        The largest that `sigmas` may hold: it sets the radius of all kernels, so that they do not depend on the draw.

    """
    radius = min(max(1, int(3 * largest + 0.5)), min(images.shape[-2:]) - 1)
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernels = torch.exp(-0.5 * (offsets / sigmas.clamp(min=1e-3).view(-1, 1)) ** 2)
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).view(len(images), 1, 1, -1)
    # one group for each image: a grouped convolution blurs the whole batch at once, each image by a kernel of its own
    grouped = functional.pad(images.transpose(0, 1), (radius,) * 4, mode="reflect")
    grouped = functional.conv2d(grouped, kernels, groups=len(images))
    grouped = functional.conv2d(grouped, kernels.transpose(2, 3), groups=len(images))
    return grouped.transpose(0, 1)


def turn(images: Tensor, code: int) -> Tensor:
    """Return one of the 8 flips and quarter turns of ``(..., h, w)``, chosen by `code` in 0..7."""
    turned = torch.rot90(images, code % 4, (-2, -1))
    return turned.flip(-1) if code >= 4 else turned


def _uniform(count: int, bounds: tuple[float, float], like: Tensor, generator: torch.Generator | None) -> Tensor:
    low, high = bounds
    draws = torch.rand(count, generator=generator, device=like.device, dtype=like.dtype)
    return low + (high - low) * draws
