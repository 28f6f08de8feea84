"""U-Nets with a set receptive field, after Sytwu, Groschner & Scott 2022 (arXiv 2204.04250)."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .catalog import unet_receptive_field
from .convolution import DilatedConv, Head
from .folding import convolved, fold, gains_by_folding, normalised, pooled, unfold
from .image_to_image import ImageToImage
from .norm import BatchNorm


class ResidualBlock(nn.Module):
    """conv-BN-ReLU-conv-BN plus a 1x1 convolution of the input, then ReLU; keeps height and width."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = DilatedConv(in_channels, out_channels, 3, padding=dilation, dilation=dilation)
        self.norm1 = BatchNorm(out_channels)
        self.conv2 = DilatedConv(out_channels, out_channels, 3, padding=dilation, dilation=dilation)
        self.norm2 = BatchNorm(out_channels)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, in, h, w)`` to ``(b, out, h, w)``."""
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))

    def folded(self, x: Tensor, below: Tensor | None = None) -> Tensor:
        """Map what is folded, and what is up-sampled to it, to the folded result; see `folding.convolved`."""
        y = functional.relu(normalised(self.norm1, convolved(self.conv1, x, below)))
        return functional.relu(normalised(self.norm2, convolved(self.conv2, y)) + convolved(self.shortcut, x, below))


class UNet(ImageToImage):
    """U-Net of residual blocks with one dilation per level, the decoder mirroring the encoder.

    Parameters
    ----------
    dilations
        Dilation of each level, from full resolution down to the bottleneck: B + 1 numbers for B down-samplings.
    width
        Filters at full resolution, doubled at every level; 4 in the paper.
    in_channels, out_channels
        Channels of input and output; the output is linear (no activation).

    """

    def __init__(self, dilations: Sequence[int], width: int = 4, in_channels: int = 1, out_channels: int = 1) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(len(dilations))]
        inputs = [in_channels, *widths[:-1]]
        self.encoder = nn.ModuleList(map(ResidualBlock, inputs, widths, dilations))
        self.decoder = nn.ModuleList(
            ResidualBlock(skip + below, skip, dilation)
            for skip, below, dilation in zip(widths[:-1], widths[1:], dilations[:-1], strict=True)
        )
        self.head = Head(width, out_channels, 1)
        self.stride = 2 ** (len(dilations) - 1)
        self.receptive_field = unet_receptive_field(dilations)
        self.apply(_initialise)

    def features(self, x: Tensor) -> Tensor:
        """Map ``(b, in, h, w)`` to the last features at full resolution, ``(b, width, h, w)``."""
        finest = cast(ResidualBlock, self.encoder[0])
        if gains_by_folding(x, finest.conv1.out_channels, finest.conv1.dilation[0]):
            skip = finest.folded(fold(x))
            return unfold(cast(ResidualBlock, self.decoder[0]).folded(skip, self._below(pooled(skip))))
        skip = finest(x)
        below = functional.interpolate(self._below(_halved(skip)), scale_factor=2.0, mode="nearest")
        features: Tensor = self.decoder[0](torch.cat([skip, below], dim=1))
        return features

    def _below(self, x: Tensor) -> Tensor:
        """Map what is shown to the second level to what it returns, ``(b, 2 width, h / 2, w / 2)``."""
        skips = []
        for level, block in enumerate(self.encoder[1:], 1):
            x = block(_halved(x) if level > 1 else x)
            skips.append(x)
        for level in reversed(range(1, len(self.decoder))):
            up = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.decoder[level](torch.cat([skips[level - 1], up], dim=1))
        return x

    def output(self, x: Tensor) -> Tensor:
        """Map ``(b, in, h, w)`` to ``(b, out, h, w)``; h and w must be multiples of `stride`."""
        output: Tensor = self.head(self.features(x))
        return output


def _halved(x: Tensor) -> Tensor:
    """Return the greatest of each 2 x 2 pixels, ``(b, c, h / 2, w / 2)``."""
    if not (torch.is_inference_mode_enabled() and x.device.type == "cpu"):
        return functional.max_pool2d(x, 2)
    # torch's pooling remembers where the greatest was, which only training needs; this takes a third of its time
    rows = torch.maximum(x[:, :, ::2], x[:, :, 1::2])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


def _initialise(module: nn.Module) -> None:
    """Kaiming-normal convolutions, zero biases."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
