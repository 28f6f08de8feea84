"""The second network of a segmentation in context: it knows which objects are meant, and draws their mask.

Similarity alone judges each pixel by its own vector. A decoder that reads the image again, beside the similarity, can
close holes, leave out what has another shape, and place boundaries; mask decoders of few-shot segmentation do the same
(Tian et al. 2020, PFENet, arXiv 2008.01449; Butoi et al. 2023, UniverSeg, arXiv 2304.06131).
"""

import torch
from torch import Tensor, nn

from ..errors import UserError
from .catalog import UNET_DILATIONS
from .unet import UNet

_MOST = 6.0
"""Log-odds beyond which the similarity is no surer."""
_SOFTENED = 3.0
"""Log-odds that the decoder reads as about three quarters sure."""


class MaskDecoder(nn.Module):
    """A U-Net that corrects the log-odds of one class, whichever it is.

    Parameters
    ----------
    name
        One of the U-Nets of `catalog.UNET_DILATIONS`.
    width
        Filters of its first level.
    dimensions
        Numbers of a pixel's vector.

    Raises
    ------
    UserError
        When there is no U-Net of that name.

    """

    def __init__(self, name: str, width: int, dimensions: int) -> None:
        super().__init__()
        if name not in UNET_DILATIONS:
            raise UserError(f"There is no mask decoder '{name}'. Choose none, or one of {', '.join(UNET_DILATIONS)}.")
        self.network = UNet(UNET_DILATIONS[name], width, in_channels=2 + dimensions)
        self.stride, self.receptive_field = self.network.stride, self.network.receptive_field
        nn.init.zeros_(self.network.head.weight)  # it begins with the answer of the similarity

    def forward(self, images: Tensor, vectors: Tensor, odds: Tensor) -> Tensor:
        """Return corrected log-odds ``(b, 1, h, w)``, float32.

        Parameters
        ----------
        images
            ``(b, 1, h, w)``.
        vectors
            Unit vectors of the pixels ``(b, c, h, w)``.
        odds
            Log-odds of the class by similarity ``(b, 1, h, w)``.

        """
        known = torch.cat([images, torch.tanh(odds / _SOFTENED), vectors], 1)
        shown = known.to(images.dtype).contiguous(memory_format=torch.channels_last)
        corrected: Tensor = odds.clamp(-_MOST, _MOST) + self.network(shown).float()
        return corrected
