"""Questions that can be put to a running job; plain data, so that asking loads nothing slow."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PreviewQuery:
    """A question: what does the painting say of one plane?"""

    planes: tuple[NDArray[np.generic], ...]
    """Planes ``(h, w)`` in their own units: those with paint on them, and the one in view."""
    painting: tuple[NDArray[np.generic], ...]
    """Labels ``(h, w)`` of each, 0 where nothing is painted."""
    view: int = 0
    """Which of the planes the question is about."""
    unpainted: Literal["near", "ignored", "background"] = "near"
    background: tuple[int, ...] = ()
    """Labels that stand for background."""
    ignored: tuple[int, ...] = ()
    """Labels of which nothing is learnt."""
    regions: tuple[NDArray[np.bool_] | None, ...] | None = None
    """For each plane a mask of what is fully annotated, or None."""
    number: int = 0
    """Comes back as the step of the answer."""
    window: tuple[int, int, int, int] | None = None
    """What is on screen of the plane in view: first row, row after the last, first column, column after the last."""
