"""A generator that segments from painted pixels: it keeps their vectors and compares those of all pixels with them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import class_logits, log_odds, unit_vectors
from .filter_classifier import GRID_PX, RECEPTIVE_FIELD_PX, FilterClassifier
from .image_to_image import smoothed
from .mask_decoder import MaskDecoder

SHARPNESS, MASK_DECODER = "sharpness", "mask_decoder"
"""Names of the tensor that scales the similarities, and of the mask decoder: a generator trained by episodes brings
its own."""
_PIECE, _PIECE_ON_GPU = 2**11, 2**16
"""Pixels compared at a time. The table of similarities has a row for each painted pixel: of a whole tile it would fill
the memory, and on a CPU it is twice as quick while it fits the cache."""


_SMOOTHING_PX = 1.0
"""Of an image that is enlarged, which is for tiny objects in noise."""
_SMOOTHING_REACH_PX = 3


class InContextNetwork(nn.Module):
    """A trunk that gives each pixel a vector, and the vectors of painted pixels that decide its class.

    Parameters
    ----------
    trunk
        Maps ``(b, 1, h, w)`` to ``(b, c, h, w)``, with the attributes `stride` and `receptive_field`.
    dimensions
        How many of the trunk's first channels are the vector; the others belong to its other heads.
    painted
        For each class, background first, how many painted pixels are kept.
    mask_decoder
        Draws the mask of each class from the similarities; None, and they decide by themselves.
    scale
        By how much images are enlarged before the trunk sees them: a power of two, below 1 to shrink them. Those that
        are enlarged are smoothed first.
    threshold
        Log-odds from which on a pixel belongs to a class; what the network returns is counted from there.
    filters
        Have a share in the answer; None, and the network answers alone.

    """

    def __init__(
        self,
        trunk: nn.Module,
        dimensions: int,
        painted: Sequence[int],
        mask_decoder: MaskDecoder | None = None,
        scale: float = 1.0,
        threshold: float = 0.0,
        filters: FilterClassifier | None = None,
    ) -> None:
        super().__init__()
        self.trunk, self.dimensions, self.mask_decoder = trunk, dimensions, mask_decoder
        self.filters = filters
        self.threshold = threshold
        self.look_at(scale)
        self.context = nn.ParameterList(nn.Parameter(torch.zeros(dimensions, count)) for count in painted)
        self.sharpness = nn.Parameter(torch.tensor(10.0))

    def look_at(self, scale: float) -> None:
        """Look at images enlarged by `scale`, a power of two; `stride` and `receptive_field` follow."""
        stride, reach = int(self.trunk.stride), int(self.trunk.receptive_field)  # type: ignore[arg-type]
        if self.mask_decoder is not None:
            stride, reach = max(stride, self.mask_decoder.stride), reach + self.mask_decoder.receptive_field - 1
        self.scale = scale
        # both are in pixels of the image as it is given
        self.stride = max(1 if self.filters is None else GRID_PX, round(stride / scale))
        beside = 0 if scale == 1 else 2 * max(1, round(1 / scale)) + 1
        smoothing = 2 * _SMOOTHING_REACH_PX if scale > 1 else 0
        self.receptive_field = round(reach / scale) + beside + smoothing
        if self.filters is not None:
            self.receptive_field = max(self.receptive_field, RECEPTIVE_FIELD_PX)

    def forward(self, images: Tensor) -> Tensor:
        """Map ``(b, 1, h, w)`` to logits: ``(b, 1, h, w)`` of the one class, or ``(b, classes, h, w)`` of several."""
        scaled = self.scaled(images)
        return self.with_filters(images, self.unscaled(self.logits(scaled, self.vectors(scaled))))

    def scaled(self, images: Tensor) -> Tensor:
        """Return images ``(b, 1, h, w)`` as large as the trunk sees them."""
        if self.scale < 1:
            return functional.avg_pool2d(images, round(1 / self.scale))
        return images if self.scale == 1 else _resized(smoothed(images, _SMOOTHING_PX, "replicate"), self.scale)

    def unscaled(self, logits: Tensor) -> Tensor:
        """Return logits ``(b, c, h, w)`` on the grid of the image."""
        if self.scale > 1:
            return functional.avg_pool2d(logits, round(self.scale))
        return _resized(logits, 1 / self.scale)

    def with_filters(self, images: Tensor, logits: Tensor) -> Tensor:
        """Give the filters, where there are any, their share in the logits ``(b, c, h, w)`` of ``(b, 1, h, w)``."""
        if self.filters is None:
            return logits
        found: Tensor = self.filters(images, logits)
        return found

    def vectors(self, scaled: Tensor) -> Tensor:
        """Map scaled images ``(b, 1, h, w)`` to unit vectors of their pixels ``(b, c, h, w)``, float32."""
        features = self.trunk(scaled)[:, : self.dimensions]
        return unit_vectors(features).view(features.shape)

    def logits(self, scaled: Tensor, vectors: Tensor) -> Tensor:
        """Compare pixels with the painted ones, and let the decoder draw; see `compared` and `drawn`."""
        return self.drawn(scaled, vectors, self.compared(vectors))

    def compared(self, vectors: Tensor) -> Tensor:
        """Return how alike pixels with vectors ``(b, c, h, w)`` are to each class, ``(b, classes, h, w)`` float32."""
        found = torch.stack([self._compared(pixels) for pixels in vectors.flatten(2)])
        return found.view(len(vectors), -1, *vectors.shape[-2:])

    def drawn(self, scaled: Tensor, vectors: Tensor, compared: Tensor) -> Tensor:
        """Let the decoder draw.

        Parameters
        ----------
        scaled
            Images ``(b, 1, h, w)`` as the trunk saw them.
        vectors
            Of their pixels, from `vectors`.
        compared
            From `compared`.

        Returns
        -------
        torch.Tensor
            ``(b, 1, h, w)`` of the one class, or ``(b, classes, h, w)`` of several, float32.

        """
        if self.mask_decoder is None:
            found = compared[:, 1:] - compared[:, :1]
        else:
            odds = log_odds(compared, 1)
            drawn = [self.mask_decoder(scaled, vectors, odds[:, one : one + 1]) for one in range(odds.shape[1])]
            found = torch.cat(drawn, 1)
        found = found - self.threshold
        return found if found.shape[1] == 1 else torch.cat([torch.zeros_like(found[:, :1]), found], 1)

    def _compared(self, pixels: Tensor) -> Tensor:
        """Return the logits ``(classes, n)`` of pixels ``(c, n)``."""
        painted = [functional.normalize(vectors, dim=0) for vectors in self.context]
        # products of like unit vectors are all close to 1: with the 8 bits of bf16 they could not be told apart
        with torch.autocast(pixels.device.type, enabled=False):
            pieces = torch.split(pixels, _PIECE if pixels.device.type == "cpu" else _PIECE_ON_GPU, 1)
            return torch.cat([class_logits(piece, painted, self.sharpness) for piece in pieces], 1)


def _resized(images: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return images
    return functional.interpolate(images.float(), scale_factor=factor, mode="bilinear", align_corners=False)
