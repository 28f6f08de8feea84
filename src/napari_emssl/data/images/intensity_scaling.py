"""Intensity scaling: how the grey values of a plane become the numbers a network sees."""

from typing import Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from ..arrays import DuckArray
from .hot_pixels import repair

CLIP = (-0.5, 1.5)
"""What a network sees lies within these."""
_SAMPLES = 2_000_000
"""Percentiles of more values than this are taken from a random sample of this size: exact enough, and fast."""
_PIECE = 2**16
_SAMPLED_PLANES = 64
"""Planes of a stack that a sample is drawn from: reading thousands of planes from disk would take minutes."""


class Levels(NamedTuple):
    """The grey values of one plane (or stack) that become 0 and 1."""

    black: float
    white: float

    def to_unit(self, plane: NDArray[np.generic], clip: bool = True) -> NDArray[np.float32]:
        """Scale grey values to float32 with black at 0 and white at 1.

        Parameters
        ----------
        plane
            Grey values of any real type and shape.
        clip
            Whether to clip to [-0.5, 1.5], so that a hot pixel is no more than a finite outlier.

        Returns
        -------
        numpy.ndarray
            Of the same shape; NaN and -inf become black, +inf the upper limit 1.5.
        """
        values = np.asarray(plane)
        # a float32 holds every value of 16 bits; of 32 bits it would lose the last ones before the black is taken off
        unit: NDArray[np.floating] = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
        with np.errstate(all="ignore"):  # NaN and inf are expected, and replaced
            unit -= unit.dtype.type(self.black)
            unit /= unit.dtype.type(self.white - self.black)
            if not np.isfinite(unit.sum()):  # a sum over all pixels costs a tenth of looking at each
                np.nan_to_num(unit, copy=False, nan=0.0, posinf=CLIP[1], neginf=0.0)
        return np.asarray(np.clip(unit, *CLIP, out=unit) if clip else unit, np.float32)

    def from_unit(self, unit: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return float32 values in the units the plane had before `to_unit`."""
        scaled = np.empty(np.shape(unit), np.float32)
        flat, results = np.reshape(unit, -1), scaled.reshape(-1)
        for begin in range(0, flat.size, _PIECE):  # so that what is computed with 64 bits stays in the cache
            piece = slice(begin, begin + _PIECE)
            values = flat[piece].astype(np.float64)
            values *= self.white - self.black
            values += self.black
            results[piece] = values
        return scaled


class IntensityScaling(BaseModel):
    """Percentile scaling of a whole plane or stack to about [0, 1].

    Percentiles, since the extremes would be those of single hot and dead pixels. The scaling belongs to the model: it
    is the same in training and in use, and never fitted to a tile.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low_percent: float = Field(0.1, ge=0, lt=50, description="Percentile of the grey values that becomes 0.")
    high_percent: float = Field(99.9, gt=50, le=100, description="Percentile of the grey values that becomes 1.")
    per: Literal["plane", "stack"] = Field(
        "plane", description="Fit the levels to every plane by itself, or once to the whole stack."
    )
    hot_pixels: float | None = Field(
        None, gt=0, description="Repair planes first, see `hot_pixels.repair`; None leaves them as they are."
    )

    def repaired(self, plane: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return a whole plane ``(h, w)`` without hot pixels, where they are to be repaired; do so before `fit`."""
        return plane if self.hot_pixels is None else repair(cast(NDArray[np.number], plane), self.hot_pixels)

    def scaled(self, plane: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return a whole plane ``(h, w)`` as a network sees it, scaled by levels of its own."""
        clean = self.repaired(plane)
        return self.fit(clean).to_unit(clean)

    def fit(self, planes: DuckArray) -> Levels:
        """Return the levels of a plane ``(h, w)`` or a stack ``(n, h, w)``; NaN and inf are left out.

        Of more than two million values a random sample of that size decides, always the same one; of a stack
        at most 64 planes, evenly spread, are read, so it may be lazy (dask, zarr, memory map). A constant or
        wholly invalid array gets levels one unit apart, so that it scales to zeros.
        """
        values = _sample(planes)
        if values.size == 0:
            return Levels(0.0, 1.0)
        black, white = (float(level) for level in np.percentile(values, (self.low_percent, self.high_percent)))
        # percentiles agree where nearly all values are the same: the few others then set the scale
        if not white > black:
            black, white = float(values.min()), float(values.max())
        return Levels(black, white) if white > black else Levels(black, _next_unit(black))


def _next_unit(black: float) -> float:
    """Return `black` plus one, or the next number where one is lost in rounding."""
    with np.errstate(over="ignore"):  # next to the largest float of all is infinity
        return max(black + 1.0, float(np.nextafter(black, np.inf)))


def _sample(planes: DuckArray) -> NDArray[np.number]:
    """Finite values of a plane or stack, flat: all of them or a fixed random draw."""
    shape = tuple(planes.shape) if hasattr(planes, "shape") else np.shape(planes)
    if len(shape) < 3 or int(np.prod(shape)) <= _SAMPLES:
        return _drawn(np.asarray(planes), _SAMPLES)
    chosen = np.unique(np.linspace(0, shape[0] - 1, min(shape[0], _SAMPLED_PLANES)).astype(int))
    share = _SAMPLES // len(chosen)
    return np.concatenate([_drawn(np.asarray(planes[int(i)]), share) for i in chosen])


def _drawn(values: NDArray[np.number], count: int) -> NDArray[np.number]:
    """Finite ones of at most `count` values, drawn at random but always the same."""
    flat = values.reshape(-1)
    if flat.size > count:
        flat = flat[np.random.default_rng(flat.size).integers(0, flat.size, count)]
    if flat.dtype.kind == "b":
        return flat.astype(np.uint8)
    if flat.dtype.kind != "f":
        return flat
    finite: NDArray[np.floating] = flat[np.isfinite(flat)]
    # float16 too: its percentiles would be as coarse as it is
    return finite.astype(np.float64 if flat.dtype.itemsize > 4 else np.float32)
