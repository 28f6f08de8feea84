"""HRNet: parallel branches at 1/4, 1/8, 1/16 and 1/32 that exchange features (Wang et al. 2021, arXiv 1908.07919)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .catalog import HRNetLayout, hrnet_receptive_field
from .convolution import Head
from .image_to_image import ImageToImage
from .norm import BatchNorm

_QUIET = 0.001
"""Standard deviation of the head's first weights, as of all weights in the authors' code: first outputs are near 0."""
_DETAIL = 16
"""Channels of the refinement at full resolution."""


class _Norm(nn.Sequential):
    """Convolution without bias, batch norm and, unless `relu` is false, ReLU; keeps the size at stride 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            BatchNorm(outputs),
        ]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class _Residual(nn.Module):
    """ReLU of a path plus its input; the input goes through a 1x1 convolution where the channels differ."""

    def __init__(self, path: nn.Module, inputs: int, outputs: int) -> None:
        super().__init__()
        self.path = path
        self.shortcut = nn.Identity() if inputs == outputs else _Norm(inputs, outputs, 1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.path(x) + self.shortcut(x))


def _bottleneck(inputs: int, middle: int = 64, outputs: int = 256) -> nn.Module:
    path = nn.Sequential(_Norm(inputs, middle, 1), _Norm(middle, middle), _Norm(middle, outputs, 1, relu=False))
    return _Residual(path, inputs, outputs)


def _basic(channels: int) -> nn.Module:
    return _Residual(
        nn.Sequential(_Norm(channels, channels), _Norm(channels, channels, relu=False)), channels, channels
    )


class _Fusion(nn.Module):
    """ReLU of the sum of all branches, brought to the channels and size of one of them."""

    def __init__(self, channels: Sequence[int], goal: int) -> None:
        super().__init__()
        self.goal = goal
        self.paths = nn.ModuleList(_path(channels, source, goal) for source in range(len(channels)))

    def forward(self, features: list[Tensor]) -> Tensor:
        like = features[self.goal]
        total = torch.zeros_like(like)
        for path, x in zip(self.paths, features, strict=True):
            total = total + _resize(path(x), like)
        return functional.relu(total)


class _Exchange(nn.Module):
    """Residual blocks on every branch, then each branch receives all others."""

    def __init__(self, channels: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(_basic(width) for _ in range(blocks))) for width in channels)
        self.fusions = nn.ModuleList(_Fusion(channels, goal) for goal in range(len(channels)))

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        """Map branches ``(b, C 2^i, h / 2^i, w / 2^i)`` to as many of the same shapes."""
        features = [branch(x) for branch, x in zip(self.branches, inputs, strict=True)]
        return [fusion(features) for fusion in self.fusions]


def _path(channels: Sequence[int], source: int, goal: int) -> nn.Module:
    """Bring a branch to the channels of another: 1x1 convolution upwards, strided 3x3 ones downwards."""
    if source == goal:
        return nn.Identity()
    if source > goal:
        return _Norm(channels[source], channels[goal], 1, relu=False)
    steps = [_Norm(channels[source], channels[source], stride=2) for _ in range(goal - source - 1)]
    return nn.Sequential(*steps, _Norm(channels[source], channels[goal], stride=2, relu=False))


def _resize(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return functional.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


class _Refinement(nn.Module):
    """Detail at full resolution, to be added to the up-sampled output: two 3x3 convolutions that see the image.

    Its last convolution starts from zeros, so that a network to which it is added does at first what it did before.
    """

    def __init__(self, features: int, out_channels: int) -> None:
        super().__init__()
        self.reduce = _Norm(features, _DETAIL, 1)
        self.blocks = nn.Sequential(_Norm(_DETAIL + 1, _DETAIL), _Norm(_DETAIL, _DETAIL))
        self.head = Head(_DETAIL, out_channels, 1)

    def forward(self, features: Tensor, image: Tensor) -> Tensor:
        """Map ``(b, 15 C, h / 4, w / 4)`` and ``(b, 1, h, w)`` to ``(b, out_channels, h, w)``."""
        detail: Tensor = self.head(self.blocks(torch.cat([_resize(self.reduce(features), image), image], dim=1)))
        return detail


class HRNet(ImageToImage):
    """HRNet with a linear output; height and width must be multiples of 32.

    Without refinement no path runs at full resolution, so it cannot draw detail finer than about 4 pixels. The
    weights of a network with and of one without refinement have the same names but for those of ``refinement``.

    Parameters
    ----------
    layout
        The member of the family.
    out_channels
        Channels of the output.
    refine
        Add a small part at full resolution that sees the image.

    """

    stride = 32

    def __init__(self, layout: HRNetLayout, out_channels: int = 1, refine: bool = False) -> None:
        super().__init__()
        widths = [layout.width * 2**level for level in range(4)]
        self.stem = nn.Sequential(_Norm(1, 64, stride=2), _Norm(64, 64, stride=2))
        self.stage1 = nn.Sequential(*(_bottleneck(64 if first else 256) for first in _firsts(layout.bottlenecks)))
        self.entries = nn.ModuleList([_Norm(256, widths[0]), _Norm(256, widths[1], stride=2)])
        self.deeper = nn.ModuleList(_Norm(widths[level], widths[level + 1], stride=2) for level in (1, 2))
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Exchange(widths[:branches], layout.blocks) for _ in range(count)))
            for branches, count in zip((2, 3, 4), layout.modules, strict=True)
        )
        total = sum(widths)
        self.merge = nn.Sequential(nn.Conv2d(total, total, 1), BatchNorm(total), nn.ReLU(inplace=True))
        self.head = Head(total, out_channels, 1)
        self.refinement = _Refinement(total, out_channels) if refine else None
        self.receptive_field = hrnet_receptive_field(layout, refine)
        self.apply(_initialise)
        nn.init.normal_(self.head.weight, std=_QUIET)
        if self.refinement is not None:
            nn.init.zeros_(self.refinement.head.weight)

    def features(self, x: Tensor) -> Tensor:
        """Map ``(b, 1, h, w)`` to ``(b, 15 C, h / 4, w / 4)``."""
        x = self.stage1(self.stem(x))
        branches = [entry(x) for entry in self.entries]
        for number, stage in enumerate(self.stages):
            if number:
                branches.append(self.deeper[number - 1](branches[-1]))
            branches = stage(branches)
        merged: Tensor = self.merge(torch.cat([_resize(branch, branches[0]) for branch in branches], dim=1))
        return merged

    def output(self, x: Tensor) -> Tensor:
        """Map ``(b, 1, h, w)`` to ``(b, out_channels, h, w)``."""
        features = self.features(x)
        output = functional.interpolate(self.head(features), scale_factor=4.0, mode="bilinear")
        return output if self.refinement is None else output + self.refinement(features, x)


def _firsts(count: int) -> list[bool]:
    return [number == 0 for number in range(count)]


def _initialise(module: nn.Module) -> None:
    """Kaiming-normal convolutions, zero biases."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
