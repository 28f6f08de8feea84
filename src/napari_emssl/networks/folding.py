"""Layers of few channels at full resolution, computed with 2 x 2 pixels as one pixel of four times the channels.

The numbers are the same. On a GPU this is faster although it multiplies four times as much: cuDNN computes a
convolution of 4 channels as if there were many, and is bound by the pixels. With 128 patches of 224 px on an H200, in
bf16, forward and backward, a 3 x 3 convolution of 4 to 4 channels takes 3.0 ms as it is and 0.7 ms folded, one of 12 to
4 channels 4.6 and 1.0 ms, one of 16 to 16 channels at 56 px 0.45 and 0.18 ms. On a CPU it gains nothing.

Folded channels are ordered by the place within the 2 x 2 pixels, row by row, and then by channel.
"""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

_FEW = 16
"""Channels up to which folding was seen to gain."""
_FAR = 2
"""Dilation up to which a folded 3 x 3 kernel is 3 x 3."""


def gains_by_folding(x: Tensor, channels: int, dilation: int) -> bool:
    """Return whether layers of so many channels are computed faster folded.

    Parameters
    ----------
    x
        What they are computed from, ``(b, c, h, w)``.
    channels
        Of the layers at full resolution.
    dilation
        Of their 3 x 3 convolutions.

    """
    return x.is_cuda and channels <= _FEW and dilation <= _FAR


def fold(x: Tensor) -> Tensor:
    """Fold ``(b, c, h, w)`` to ``(b, 4 c, h / 2, w / 2)``; h and w are even."""
    batch, channels, height, width = x.shape
    pixels = x.reshape(batch, channels, height // 2, 2, width // 2, 2).permute(0, 3, 5, 1, 2, 4)
    folded = pixels.reshape(batch, 4 * channels, height // 2, width // 2)
    return folded.contiguous(memory_format=torch.channels_last)


def unfold(x: Tensor) -> Tensor:
    """Return ``(b, c, 2 h, 2 w)`` from the folded ``(b, 4 c, h, w)``."""
    batch, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(batch, height, width, 2, 2, channels // 4)
    return pixels.transpose(2, 3).reshape(batch, 2 * height, 2 * width, channels // 4).permute(0, 3, 1, 2)


def pooled(x: Tensor) -> Tensor:
    """Return the greatest of each 2 x 2 pixels, ``(b, c, h, w)``, from the folded ``(b, 4 c, h, w)``."""
    batch, channels, height, width = x.shape
    first, second, third, fourth = x.view(batch, 4, channels // 4, height, width).unbind(1)
    return torch.maximum(torch.maximum(first, second), torch.maximum(third, fourth))


def normalised(norm: nn.Module, x: Tensor) -> Tensor:
    """Apply a norm of c channels to the folded ``(b, 4 c, h, w)``."""
    batch, channels, height, width = x.shape
    # the four pixels lie side by side in memory: a view, where the channels come last
    rows = x.permute(0, 2, 3, 1).reshape(batch, height, 4 * width, channels // 4)
    result: Tensor = norm(rows.permute(0, 3, 1, 2))
    return result.permute(0, 2, 3, 1).reshape(batch, height, width, channels).permute(0, 3, 1, 2)


def convolved(convolution: nn.Conv2d, x: Tensor, below: Tensor | None = None) -> Tensor:
    """Apply a convolution to folded pixels.

    Parameters
    ----------
    convolution
        1 x 1, or 3 x 3 with a dilation of 1 or 2 that keeps height and width; of c channels.
    x
        The first of the c channels, folded, ``(b, 4 c_x, h, w)``.
    below
        The other channels ``(b, c - c_x, h, w)``, of which each pixel stands for 2 x 2 pixels of the same value.

    """
    kernel, dilation = convolution.kernel_size[0], convolution.dilation[0]
    with torch.autocast(x.device.type, enabled=False):  # weights are put into their places, not rounded
        weight = _folded(convolution.weight, dilation, x.shape[1] // 4)
        bias = None if convolution.bias is None else convolution.bias.repeat(4)
    shown = x if below is None else torch.cat([x, below], dim=1)
    return functional.conv2d(shown, weight, bias, padding=kernel // 2)


def _folded(weight: Tensor, dilation: int, own: int) -> Tensor:
    """Return the folded form of a kernel ``(out, in, k, k)`` of which the first `own` inputs are folded."""
    out, edge = weight.shape[0], weight.shape[-1]
    places = _places(edge, dilation, weight.device, weight.dtype)
    taps = weight.flatten(2)
    parts = [torch.einsum("oik,stgk->sotig", taps[:, :own], places).reshape(4 * out, 4 * own, -1)]
    if own < weight.shape[1]:
        parts.append(torch.einsum("oik,sgk->soig", taps[:, own:], places.sum(1)).reshape(4 * out, -1, edge * edge))
    whole = torch.cat(parts, dim=1).view(4 * out, -1, edge, edge)
    return whole.contiguous(memory_format=torch.channels_last)


@cache  # a step that is being recorded may not wait for a copy from main memory
@torch.inference_mode(False)  # whoever comes first: training learns through it later
def _places(edge: int, dilation: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return where each tap of a kernel goes, 1 or 0, ``(4 to, 4 from, edge^2 pixels, edge^2 taps)``."""
    middle = edge // 2
    along = torch.zeros(2, 2, edge, edge)
    for place in range(2):
        for tap in range(edge):
            pixel, origin = divmod(place + dilation * (tap - middle), 2)
            along[place, origin, middle + pixel, tap] = 1
    both = torch.einsum("stgk,uvhl->sutvghkl", along, along)
    return both.reshape(4, 4, edge * edge, edge * edge).to(device, dtype)
