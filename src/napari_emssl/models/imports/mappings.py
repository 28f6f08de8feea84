"""What the tensors of our networks are called in files of others.

Names were read in the code that writes the files: HRNet/HRNet-Semantic-Segmentation (``official``),
huggingface/pytorch-image-models (``timm``), torchvision and qubvel's segmentation-models-pytorch for ResNet50, and
ScottLabUCB/HRTEM-Receptive-Field for U-Nets.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal

from ...errors import UserError
from ...networks.catalog import HRNET_LAYOUTS, RESNET_UNET, UNET_DILATIONS

Mapping = Literal["official", "timm", "plain"]
Naming = Callable[[str], str | None]
"""Maps the name of one of our tensors to that in the file; None where such files have none."""

_HRNET_TRUNK = (
    (r"stem\.(\d)\.0\.", lambda m: f"conv{int(m[1]) + 1}."),
    (r"stem\.(\d)\.1\.", lambda m: f"bn{int(m[1]) + 1}."),
    (r"stage1\.(\d+)\.path\.(\d)\.(\d)\.", lambda m: f"layer1.{m[1]}.{_layer(m[3])}{int(m[2]) + 1}."),
    (r"stage1\.(\d+)\.shortcut\.", lambda m: f"layer1.{m[1]}.downsample."),
    (r"entries\.0\.", lambda _: "transition1.0."),
    (r"entries\.1\.", lambda _: "transition1.1.0."),
    (r"deeper\.(\d)\.", lambda m: f"transition{int(m[1]) + 2}.{int(m[1]) + 2}.0."),
    (
        r"stages\.(\d)\.(\d+)\.branches\.(\d)\.(\d+)\.path\.(\d)\.(\d)\.",
        lambda m: f"stage{int(m[1]) + 2}.{m[2]}.branches.{m[3]}.{m[4]}.{_layer(m[6])}{int(m[5]) + 1}.",
    ),
    (
        r"stages\.(\d)\.(\d+)\.fusions\.(\d)\.paths\.(\d)\.",
        lambda m: f"stage{int(m[1]) + 2}.{m[2]}.fuse_layers.{m[3]}.{m[4]}.",
    ),
)
_HRNET_HEAD = ((r"merge\.", lambda _: "last_layer."), (r"head\.", lambda _: "last_layer.3."))
_TORCHVISION = ((r"encoder\.", lambda _: ""),)
_SEGMENTATION_MODELS = (
    (r"encoder\.", lambda _: "encoder."),
    (r"decoder\.(\d)\.conv(\d)\.", lambda m: f"decoder.blocks.{m[1]}.conv{m[2]}.0."),
    (r"decoder\.(\d)\.norm(\d)\.", lambda m: f"decoder.blocks.{m[1]}.conv{m[2]}.1."),
)


def namings(network: str, mapping: Mapping) -> Sequence[Naming]:
    """Return how files may call the tensors of a network; several where files of one origin come in several forms.

    Parameters
    ----------
    network
        A generator by name.
    mapping
        Whose names: those of the authors' code, of timm, or ours.

    Raises
    ------
    UserError
        When there is no such network, or no such names for it.

    """
    if network not in (*HRNET_LAYOUTS, *UNET_DILATIONS, RESNET_UNET):
        names = ", ".join((*UNET_DILATIONS, *HRNET_LAYOUTS, RESNET_UNET))
        raise UserError(f"There is no network '{network}'. Choose one of {names}.")
    if mapping == "plain":
        return (lambda name: name,)
    if network in HRNET_LAYOUTS:
        return (_by_rules(_HRNET_TRUNK + (_HRNET_HEAD if mapping == "official" else ())),)
    if network == RESNET_UNET:
        return (_by_rules(_TORCHVISION), _by_rules(_SEGMENTATION_MODELS))
    if mapping == "official":
        return (_of_scott_lab(len(UNET_DILATIONS[network]) - 1),)
    raise UserError(f"timm has no network like '{network}'. Use --mapping official or plain.")


def _layer(place: str) -> str:
    """Name of a convolution or of the norm behind it."""
    return "conv" if place == "0" else "bn"


def _by_rules(rules: Sequence[tuple[str, Callable[[re.Match[str]], str]]]) -> Naming:
    """Replace the beginning of a name by the first rule that fits; a name that none fits is not in such files."""

    def renamed(name: str) -> str | None:
        for pattern, begin in rules:
            if match := re.match(pattern, name):
                return begin(match) + name[match.end() :]
        return None

    return renamed


def _of_scott_lab(depth: int) -> Naming:
    """Names of the U-Nets of Sytwu, Groschner and Scott, which count the decoder from below."""
    layers = {"conv1": "conv1", "conv2": "conv2", "norm1": "bn1", "norm2": "bn2", "shortcut": "conv_add"}

    def renamed(name: str) -> str | None:
        side, *rest = name.split(".")
        if side == "head":
            return f"final_conv.{rest[0]}"
        level = int(rest[0])
        block = (
            f"ups.{depth - 1 - level}" if side == "decoder" else "bottleneck" if level == depth else f"downs.{level}"
        )
        return f"{block}.{layers[rest[1]]}.{rest[2]}"

    return renamed
