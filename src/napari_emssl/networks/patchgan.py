"""The 70 x 70 PatchGAN discriminator of pix2pix (Isola et al. 2017, arXiv 1611.07004)."""

import torch
from torch import Tensor, nn

from .norm import BatchNorm


class PatchGAN(nn.Module):
    """Judges every 70 x 70 patch of an image, given the corrupted image it was made from.

    Five 4 x 4 convolutions (width, 2, 4, 8 times width, 1) with strides 2, 2, 2, 1, 1, LeakyReLU 0.2, batch norm on
    layers 2 to 4, raw logits; 224 x 224 in gives 26 x 26 out. 2 764 609 parameters at width 64.
    """

    def __init__(self, in_channels: int = 2, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for factor, stride in ((2, 2), (4, 2), (8, 1)):
            inputs, outputs = width * factor // 2, width * factor
            layers += [
                nn.Conv2d(inputs, outputs, 4, stride, 1, bias=False),
                BatchNorm(outputs),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers.append(nn.Conv2d(width * 8, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, corrupted: Tensor, image: Tensor) -> Tensor:
        """Map two ``(b, 1, h, w)`` to logits ``(b, 1, h // 8 - 2, w // 8 - 2)``."""
        logits: Tensor = self.layers(torch.cat([corrupted, image], dim=1))
        return logits


def _initialise(module: nn.Module) -> None:
    """Convolutions N(0, 0.02), norm weights N(1, 0.02), biases 0, as pix2pix does."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
