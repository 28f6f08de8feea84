"""A generator that answers by what was painted: its pixels' vectors, compared with those of painted pixels it keeps."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .attention import class_logits, unit_vectors

SHARPNESS = "sharpness"
"""Name of the tensor that scales the similarities; a generator trained by episodes brings its own."""
_PIECE, _PIECE_ON_GPU = 2**11, 2**16
"""Pixels compared at a time. The table of similarities has a row for each painted pixel: of a whole tile it would fill
the memory, and on a CPU it is twice as quick while it fits the cache."""


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

    """

    def __init__(self, trunk: nn.Module, dimensions: int, painted: Sequence[int]) -> None:
        super().__init__()
        self.trunk, self.dimensions = trunk, dimensions
        self.stride, self.receptive_field = int(trunk.stride), int(trunk.receptive_field)  # type: ignore[arg-type]
        self.context = nn.ParameterList(nn.Parameter(torch.zeros(dimensions, count)) for count in painted)
        self.sharpness = nn.Parameter(torch.tensor(10.0))

    def vectors(self, images: Tensor) -> Tensor:
        """Map ``(b, 1, h, w)`` to unit vectors ``(b, c, h * w)``, float32."""
        return unit_vectors(self.trunk(images)[:, : self.dimensions])

    def forward(self, images: Tensor) -> Tensor:
        """Map ``(b, 1, h, w)`` to logits: ``(b, 1, h, w)`` of the one class, or ``(b, classes, h, w)`` of several."""
        height, width = images.shape[-2:]
        found = torch.stack([self._logits(pixels) for pixels in self.vectors(images)])
        return found.view(len(images), -1, height, width)

    def _logits(self, pixels: Tensor) -> Tensor:
        painted = [nn.functional.normalize(vectors, dim=0) for vectors in self.context]
        # products of like unit vectors are all close to 1: with the 8 bits of bf16 they could not be told apart
        with torch.autocast(pixels.device.type, enabled=False):
            pieces = torch.split(pixels, _PIECE if pixels.device.type == "cpu" else _PIECE_ON_GPU, 1)
            logits = torch.cat([class_logits(piece, painted, self.sharpness) for piece in pieces], 1)
        return logits if len(painted) > 2 else logits[1:] - logits[:1]
