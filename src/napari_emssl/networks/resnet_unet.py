"""U-Net whose encoder is a ResNet50 (He et al. 2016, arXiv 1512.03385), so that encoders pretrained elsewhere fit."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .catalog import RESNET_UNET_WIDTH, resnet_unet_receptive_field
from .convolution import Head
from .image_to_image import ImageToImage
from .norm import BatchNorm

_BLOCKS = (3, 4, 6, 3)
_EXPANSION = 4
_STEM = 64


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside the input; a stride is in the 3x3 one. Names are those of torchvision."""

    def __init__(self, inputs: int, middle: int, stride: int = 1) -> None:
        super().__init__()
        outputs = _EXPANSION * middle
        self.conv1 = nn.Conv2d(inputs, middle, 1, bias=False)
        self.bn1 = BatchNorm(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride, 1, bias=False)
        self.bn2 = BatchNorm(middle)
        self.conv3 = nn.Conv2d(middle, outputs, 1, bias=False)
        self.bn3 = BatchNorm(outputs)
        self.downsample: nn.Module | None = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), BatchNorm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, inputs, h, w)`` to ``(b, 4 middle, h / stride, w / stride)``."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    """ResNet50 of one channel without its classifier. Names are those of torchvision."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, _STEM, 7, 2, 3, bias=False)
        self.bn1 = BatchNorm(_STEM)
        inputs = _STEM
        for level, blocks in enumerate(_BLOCKS):
            middle = 64 * 2**level
            strides = [2 if level else 1, *[1] * (blocks - 1)]
            layers = []
            for stride in strides:
                layers.append(Bottleneck(inputs, middle, stride))
                inputs = _EXPANSION * middle
            setattr(self, f"layer{level + 1}", nn.Sequential(*layers))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return features of ``(b, 1, h, w)`` at 1/2, 1/4, 1/8, 1/16 and 1/32: 64, 256, 512, 1024, 2048 channels."""
        x = functional.relu(self.bn1(self.conv1(x)))
        features = [x]
        x = functional.max_pool2d(x, 3, 2, 1)
        for level in range(len(_BLOCKS)):
            x = getattr(self, f"layer{level + 1}")(x)
            features.append(x)
        return features


class DecoderBlock(nn.Module):
    """Nearest-neighbour up-sampling, then two 3x3 convolutions of it and, where there is one, the skip.

    As in segmentation-models-pytorch, so that decoders trained with it fit too.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = BatchNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = BatchNorm(outputs)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """Map ``(b, c, h, w)`` and a skip ``(b, s, 2 h, 2 w)`` to ``(b, outputs, 2 h, 2 w)``."""
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        x = x if skip is None else torch.cat([x, skip], dim=1)
        x = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(x)))


class ResNetUNet(ImageToImage):
    """U-Net on a ResNet50; height and width must be multiples of 32.

    Parameters
    ----------
    width
        Channels of the decoder at full resolution, doubled at every level below.
    out_channels
        Channels of the linear output.

    """

    stride = 32

    def __init__(self, width: int = RESNET_UNET_WIDTH, out_channels: int = 1) -> None:
        super().__init__()
        self.encoder = ResNet50()
        skips = [_EXPANSION * 256, _EXPANSION * 128, _EXPANSION * 64, _STEM, 0]
        outputs = [width * 2**level for level in reversed(range(len(skips)))]
        inputs = [_EXPANSION * 512, *outputs[:-1]]
        self.decoder = nn.ModuleList(
            DecoderBlock(below + skip, own) for below, skip, own in zip(inputs, skips, outputs, strict=True)
        )
        self.head = Head(width, out_channels, 1)
        self.receptive_field = resnet_unet_receptive_field()
        self.apply(_initialise)

    def features(self, x: Tensor) -> Tensor:
        """Map ``(b, 1, h, w)`` to the last features at full resolution, ``(b, width, h, w)``."""
        *skips, x = self.encoder(x)
        for block in self.decoder:
            x = block(x, skips.pop() if skips else None)
        return x

    def output(self, x: Tensor) -> Tensor:
        """Map ``(b, 1, h, w)`` to ``(b, out_channels, h, w)``."""
        output: Tensor = self.head(self.features(x))
        return output


def _initialise(module: nn.Module) -> None:
    """Kaiming-normal convolutions, zero biases."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
