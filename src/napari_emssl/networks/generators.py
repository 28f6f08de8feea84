"""From a generator's name to its network."""

from dataclasses import replace
from typing import Literal

from ..errors import UserError
from .catalog import HRNET_LAYOUTS as HRNET_LAYOUTS
from .catalog import RESNET_UNET, RESNET_UNET_WIDTH
from .catalog import UNET_DILATIONS as UNET_DILATIONS
from .catalog import generator_names as generator_names
from .hrnet import HRNet
from .image_to_image import ImageToImage
from .norm import use_instance_norm
from .resnet_unet import ResNetUNet
from .unet import UNet

PAPER_UNET_WIDTH = 4

Norm = Literal["batch", "instance"]


def build_generator(
    name: str, width: int | None = None, out_channels: int = 1, refine: bool = False, norm: Norm = "batch"
) -> ImageToImage:
    """Build a generator with random weights.

    Parameters
    ----------
    name
        One of `generator_names`, for example ``unet-2-44``.
    width
        Filters of the first level (U-Nets), channels of the finest branch (HRNet), or those of the decoder at full
        resolution (``resnet50-unet``); None takes that of the name, 4 for U-Nets as in the paper.
    out_channels
        Channels of the linear output.
    refine
        Give an HRNet a small part at full resolution, so that it can draw detail finer than 4 px.
    norm
        What is normalised together: a channel of the batch, or of each image on its own (instance).

    Returns
    -------
    ImageToImage
        Maps ``(b, 1, h, w)`` to ``(b, out_channels, h, w)`` for h, w multiples of its attribute ``stride``; its
        attribute ``receptive_field`` is the edge in pixels of what reaches one output pixel.

    Raises
    ------
    UserError
        When there is no generator of that name, or `refine` is asked of a U-Net.

    """
    network = _with_batch_norm(name, width, out_channels, refine)
    if norm == "instance":
        use_instance_norm(network)
    return network


def _with_batch_norm(name: str, width: int | None, out_channels: int, refine: bool) -> ImageToImage:
    if name in HRNET_LAYOUTS:
        layout = HRNET_LAYOUTS[name]
        return HRNet(replace(layout, width=width or layout.width), out_channels, refine)
    if name not in (*UNET_DILATIONS, RESNET_UNET):
        raise UserError(f"There is no generator '{name}'. Choose one of {', '.join(generator_names())}.")
    if refine:
        raise UserError(
            f"'{name}' already has skip connections at full resolution, so it cannot be refined. Leave out --refine, "
            "or choose "
            f"one of {', '.join(HRNET_LAYOUTS)}."
        )
    if name == RESNET_UNET:
        return ResNetUNet(width or RESNET_UNET_WIDTH, out_channels)
    return UNet(UNET_DILATIONS[name], width or PAPER_UNET_WIDTH, out_channels=out_channels)
