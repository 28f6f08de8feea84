"""Intensity scaling: how the grey values of a plane become the numbers a network sees."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

_CLIP = (-0.5, 1.5)


class Levels(NamedTuple):
    """The grey values of one plane (or stack) that become 0 and 1."""

    black: float
    white: float

    def to_unit(self, plane: NDArray[Any]) -> NDArray[np.float32]:
        """Scale grey values, any shape, to float32 with black at 0 and white at 1.

        Values are clipped to [-0.5, 1.5], so that a hot pixel stays a finite outlier. NaN and -inf become
        black, +inf the upper limit.
        """
        unit = (np.asarray(plane, np.float32) - np.float32(self.black)) / np.float32(self.white - self.black)
        unit = np.nan_to_num(unit, nan=0.0, posinf=_CLIP[1], neginf=0.0)
        return np.clip(unit, *_CLIP).astype(np.float32, copy=False)

    def from_unit(self, unit: NDArray[Any]) -> NDArray[np.float32]:
        """Return float32 values in the units the plane had before `to_unit`."""
        return (np.asarray(unit, np.float32) * np.float32(self.white - self.black) + np.float32(self.black)).astype(
            np.float32, copy=False
        )


class IntensityScaling(BaseModel):
    """Percentile scaling of a whole plane or stack to about [0, 1].

    Percentiles rather than extremes keep single hot and dead pixels from deciding the scale. It belongs to the
    model: the same in training and in use, and never fitted to a tile.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low_percent: float = Field(0.1, ge=0, lt=50, description="Percentile of the grey values that becomes 0.")
    high_percent: float = Field(99.9, gt=50, le=100, description="Percentile of the grey values that becomes 1.")
    per: Literal["plane", "stack"] = Field(
        "plane", description="Fit the levels to every plane by itself, or once to the whole stack."
    )

    def fit(self, planes: NDArray[Any]) -> Levels:
        """Return the levels of a plane ``(h, w)`` or a stack ``(n, h, w)``; NaN and inf are left out.

        A constant or wholly invalid array gets levels one unit apart, so that it scales to zeros.
        """
        values = np.asarray(planes)
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if values.size == 0:
            return Levels(0.0, 1.0)
        black, white = np.percentile(values, (self.low_percent, self.high_percent))
        if not white > black:
            black, white = float(values.min()), float(values.max())
        return Levels(float(black), float(white) if white > black else float(black) + 1.0)
