"""Crops of micrographs, from which the ground and the skins of objects are made."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...data.images.intensity_scaling import IntensityScaling
from ...errors import UserError

_LARGEST_PX = 1024
"""Larger micrographs are averaged down to this edge: their finest detail is noise at the scale of a collage."""
_LEAST_PX = 64
_LEAST_SPREAD = 0.03
"""Standard deviation below which a crop counts as flat; dividing by less would only blow up its noise."""


class Textures:
    """Micrographs to cut from, kept on the device where collages are made.

    Parameters
    ----------
    planes
        Micrographs ``(h, w)``, any real dtype; those with an edge below 64 px are left out.
    device
        Where collages are made.

    Raises
    ------
    UserError
        When no micrograph is large enough.

    """

    def __init__(self, planes: Iterable[NDArray[np.generic]], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._planes = [self._prepared(plane) for plane in planes if min(plane.shape) >= _LEAST_PX]
        if not self._planes:
            raise UserError(f"Collages need micrographs of at least {_LEAST_PX} x {_LEAST_PX} px. Give larger images.")

    def __len__(self) -> int:
        return len(self._planes)

    def _prepared(self, plane: NDArray[np.generic]) -> Tensor:
        unit = torch.from_numpy(IntensityScaling(low_percent=0.5, high_percent=99.5).fit(plane).to_unit(plane))
        shrink = max(unit.shape) / _LARGEST_PX
        if shrink > 1:
            size = [max(_LEAST_PX, round(edge / shrink)) for edge in unit.shape]
            unit = functional.interpolate(unit[None, None], size, mode="area")[0, 0]
        return unit.clamp(0, 1).to(self.device)

    def crop(self, size: int, rng: np.random.Generator) -> Tensor:
        """Return a square ``(size, size)`` of mean 0 and standard deviation 1, enlarged, flipped and turned at random.

        Parameters
        ----------
        size
            Edge in pixels.
        rng
            Decides micrograph, place, enlargement (0.4 to 1.7) and orientation.

        """
        plane = self._planes[int(rng.integers(len(self._planes)))]
        enlarged = np.exp(rng.uniform(np.log(0.6), np.log(2.5)))
        edge = int(min(max(8, size / enlarged), *plane.shape))
        top, left = (int(rng.integers(length - edge + 1)) for length in plane.shape)
        piece = plane[top : top + edge, left : left + edge]
        piece = functional.interpolate(piece[None, None], (size, size), mode="bilinear", align_corners=False)[0, 0]
        turned = torch.rot90(piece, int(rng.integers(4)))
        turned = turned.flip(0) if rng.random() < 0.5 else turned
        return (turned - turned.mean()) / max(float(turned.std()), _LEAST_SPREAD)


def random_textures(count: int = 32, size: int = 512, seed: int = 0) -> Iterator[NDArray[np.float32]]:
    """Yield textures that take the place of micrographs: smooth random fields of many scales, and noise.

    Parameters
    ----------
    count
        Number of textures.
    size
        Edge in pixels.
    seed
        Of everything random.

    Yields
    ------
    numpy.ndarray
        ``(size, size)``. The coarser a field is the stronger, by a power drawn for each texture: some are like carbon
        films, some like clouds.

    """
    device = torch.device("cpu")
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        scales = 2.0 ** np.arange(1, np.log2(size / 2))
        roughness, ridged = rng.uniform(0.0, 1.2), rng.random() < 0.3
        fields = [scale**roughness * smooth_field(size, scale, rng, device) for scale in scales]
        mixed = torch.stack([field.abs() if ridged else field for field in fields]).sum(0).numpy()
        grain = rng.uniform(0.05, 1.0) * rng.standard_normal((size, size))
        yield (mixed / mixed.std() + grain).astype(np.float32)


def smooth_field(size: int, scale_px: float, rng: np.random.Generator, device: torch.device) -> Tensor:
    """Return a random field ``(size, size)``, about standard normal.

    Parameters
    ----------
    size
        Edge in pixels.
    scale_px
        Distance in pixels over which it varies.
    rng
        Draws it.
    device
        Where it is wanted.

    """
    knots = max(2, int(size / scale_px)) + 2
    grid = torch.from_numpy(rng.standard_normal((1, 1, knots, knots)).astype(np.float32)).to(device)
    return functional.interpolate(grid, (size, size), mode="bicubic", align_corners=True)[0, 0]
