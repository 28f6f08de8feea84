"""Which generators there are, their layout and their receptive field; needs no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UserError


@dataclass(frozen=True)
class HRNetLayout:
    """What distinguishes the members of the HRNet family."""

    width: int
    """Channels C of the branch at 1/4; the others have 2C, 4C and 8C."""
    bottlenecks: int
    """Residual bottlenecks of stage 1."""
    modules: tuple[int, int, int]
    """Modules of stages 2, 3 and 4."""
    blocks: int
    """Residual blocks of every branch in a module."""


UNET_DILATIONS: dict[str, tuple[int, ...]] = {
    "unet-2-44": (1, 1, 1),
    "unet-2-84": (2, 2, 2),
    "unet-2-116": (2, 2, 4),
    "unet-3-96": (1, 1, 1, 1),
    "unet-3-176": (1, 2, 2, 2),
    "unet-3-240": (1, 2, 2, 4),
    "unet-4-200": (1, 1, 1, 1, 1),
    "unet-4-360": (1, 1, 2, 2, 2),
    "unet-4-424": (1, 1, 2, 2, 3),
}
"""unet-B-RF: B down-samplings, receptive field RF pixels. 44, 96 and 200 are the undilated networks of Sytwu et al.;
the dilations of the other six are not published; they are derived here from the receptive fields."""

HRNET_LAYOUTS: dict[str, HRNetLayout] = {
    "hrnet-w18-small": HRNetLayout(width=18, bottlenecks=2, modules=(1, 3, 2), blocks=2),
    "hrnet-w18": HRNetLayout(width=18, bottlenecks=4, modules=(1, 4, 3), blocks=4),
    "hrnet-w32": HRNetLayout(width=32, bottlenecks=4, modules=(1, 4, 3), blocks=4),
    "hrnet-w48": HRNetLayout(width=48, bottlenecks=4, modules=(1, 4, 3), blocks=4),
}

RESNET_UNET = "resnet50-unet"
"""U-Net on a ResNet50, for encoders that others have pretrained; the paper has none."""
RESNET_UNET_WIDTH = 16


def generator_names() -> tuple[str, ...]:
    """Return the names of all generators that can be built."""
    return (*UNET_DILATIONS, *HRNET_LAYOUTS, RESNET_UNET)


def receptive_field_of(name: str, refine: bool = False) -> int:
    """Return the receptive field of a generator: the edge in pixels of what reaches one output pixel.

    `refine` says whether an HRNet has its part at full resolution. Raises `UserError` if there is no such generator.
    """
    if name in HRNET_LAYOUTS:
        return hrnet_receptive_field(HRNET_LAYOUTS[name], refine)
    if name == RESNET_UNET:
        return resnet_unet_receptive_field()
    if name not in UNET_DILATIONS:
        raise UserError(f"There is no generator '{name}'. Choose one of {', '.join(generator_names())}.")
    return unet_receptive_field(UNET_DILATIONS[name])


def unet_receptive_field(dilations: Sequence[int]) -> int:
    """Return the edge in pixels of the square of input pixels that reach one output pixel.

    RF = 1 + sum_{i<B} (4 d_i j_i + j_i + 4 d_i j_i) + 4 d_B j_B with j_i = 2^i: two 3x3 convolutions down and two up
    at every level, a 2x2 max-pool between levels, two convolutions at the bottom.
    """
    *levels, bottom = dilations
    reach = sum((8 * dilation + 1) << level for level, dilation in enumerate(levels))
    return 1 + reach + (4 * bottom << len(levels))


def hrnet_receptive_field(layout: HRNetLayout, refine: bool = False) -> int:
    """Return an upper bound in pixels on the edge of what reaches one output pixel.

    Along the coarsest path: 3x3 convolutions at every stride, two in each residual block, those of the deepest branch
    of a stage at its own stride; fusions and bilinear up-sampling add one pixel of the coarser grid each; the two
    convolutions of a refinement one pixel each.
    """
    reach = 1 + 2 + layout.bottlenecks * 4
    for stride, modules in zip((8, 16, 32), layout.modules, strict=True):
        reach += stride // 2 + modules * (2 * layout.blocks + 2) * stride
    return 2 * (reach + 32 + (2 if refine else 0)) + 1


def resnet_unet_receptive_field() -> int:
    """Return an upper bound in pixels on the edge of what reaches one output pixel of a U-Net on a ResNet50.

    Encoder: 7x7 at stride 2, 3x3 max-pool at stride 2, then 3, 4, 6 and 3 blocks with a 3x3 convolution each, the first
    of a level still on the finer grid. Decoder: two 3x3 convolutions at 1/16, ..., 1, and up-sampling, which reaches
    one pixel of the coarser grid.
    """
    reach = 7 + 2 * 2 + 3 * 2 * 4
    for stride, blocks in ((8, 4), (16, 6), (32, 3)):
        reach += 2 * (stride // 2) + (blocks - 1) * 2 * stride
    return reach + sum(4 * stride + stride for stride in (16, 8, 4, 2, 1))
