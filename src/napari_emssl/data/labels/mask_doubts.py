"""What is odd about masks that can be learnt from all the same."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LARGEST = frozenset((255, 65535))
"""What programs write for "yes" where they do not write 1."""


def mask_doubts(masks: Sequence[NDArray[np.generic]], classes: Sequence[int]) -> list[str]:
    """Return sentences about dense masks, where 0 is background, that may mean something else than they say.

    Parameters
    ----------
    masks
        Of all images, ``(h, w)``, whole numbers.
    classes
        Their values besides 0, in order, each taken for a class.
    """
    doubts = []
    if 1 in classes and all(mask.all() for mask in masks):
        doubts.append(
            "No pixel of the masks is 0, the background. If 1 is the background, as in masks of ilastik, pass --zero "
            "unpainted."
        )
    several = {1, *_LARGEST} & set(classes)
    if len(several) > 1 and not any(_has_all(mask, several) for mask in masks):
        values = " and others with ".join(map(str, sorted(several)))
        doubts.append(
            f"Some masks mark with {values}, so these are different classes. If they mean the same, pass "
            "--merge-classes."
        )
    return doubts


def _has_all(mask: NDArray[np.generic], values: set[int]) -> bool:
    """Whether at least two of the values are in a mask."""
    return sum(bool((mask == value).any()) for value in values) > 1
