"""From a generator's name to its network."""

from dataclasses import replace

from torch import nn

from ..errors import UserError
from .hrnet import HRNet, HRNetLayout
from .unet import UNet

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
which dilations give the other six is stated nowhere and is our derivation."""

HRNET_LAYOUTS: dict[str, HRNetLayout] = {
    "hrnet-w18-small": HRNetLayout(width=18, bottlenecks=2, modules=(1, 3, 2), blocks=2),
    "hrnet-w18": HRNetLayout(width=18, bottlenecks=4, modules=(1, 4, 3), blocks=4),
    "hrnet-w32": HRNetLayout(width=32, bottlenecks=4, modules=(1, 4, 3), blocks=4),
    "hrnet-w48": HRNetLayout(width=48, bottlenecks=4, modules=(1, 4, 3), blocks=4),
}

PAPER_UNET_WIDTH = 4


def generator_names() -> tuple[str, ...]:
    """Return the names of all generators that can be built."""
    return (*UNET_DILATIONS, *HRNET_LAYOUTS)


def build_generator(name: str, width: int | None = None, out_channels: int = 1, refine: bool = False) -> nn.Module:
    """Build a generator with random weights.

    Parameters
    ----------
    name
        One of `generator_names`, for example ``unet-2-44``.
    width
        Filters of the first level (U-Nets) or channels of the finest branch (HRNet); None takes that of the name, 4 for
        U-Nets as in the paper.
    out_channels
        Channels of the linear output.
    refine
        Give an HRNet a small part at full resolution, so that it can draw detail finer than 4 px.

    Returns
    -------
    torch.nn.Module
        Maps ``(b, 1, h, w)`` to ``(b, out_channels, h, w)`` for h, w multiples of its attribute ``stride``; its
        attribute ``receptive_field`` is the edge in pixels of what reaches one output pixel.

    Raises
    ------
    UserError
        When there is no generator of that name, or a U-Net shall be refined.

    """
    if name in HRNET_LAYOUTS:
        layout = HRNET_LAYOUTS[name]
        return HRNet(replace(layout, width=width or layout.width), out_channels, refine)
    if name not in UNET_DILATIONS:
        raise UserError(f"There is no generator '{name}'. Choose one of {', '.join(generator_names())}.")
    if refine:
        raise UserError(
            f"'{name}' has skips at full resolution already, so it cannot be refined. Leave out --refine, or choose "
            f"one of {', '.join(HRNET_LAYOUTS)}."
        )
    return UNet(UNET_DILATIONS[name], width or PAPER_UNET_WIDTH, out_channels=out_channels)
