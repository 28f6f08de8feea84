"""What a run will take, said before it: tiles, memory, time and the size of the result. Imports no torch."""

from dataclasses import dataclass

import numpy as np

from ..models.file import Card
from .settings import ApplySettings
from .tiles import Needs, first_plan


@dataclass(frozen=True)
class Survey:
    """What was measured of one network on the device that the settings choose."""

    needs: Needs
    usable_bytes: int
    """How much memory a run may take."""
    seconds_per_pixel: float
    """Of one pass over a small tile."""
    device: str
    """Human name of the device."""


@dataclass(frozen=True)
class Outlook:
    """How planes of one size will be run."""

    tiles: int
    """Of one plane."""
    tile: int
    """Edge in pixels."""
    halo: int
    pass_bytes: int
    """Memory of the largest pass."""
    fits: bool
    """Whether that is there."""
    plane_seconds: float
    """Rough time of one plane."""


def outlook(survey: Survey, settings: ApplySettings, height: int, width: int) -> Outlook:
    """Foresee how planes of a size are run; times grow with the pixels that pass through the network."""
    plan = first_plan(survey.needs, settings, height, width, survey.usable_bytes)
    passes = 8 if settings.test_time_augmentation else 1
    seconds = plan.cost(None) * survey.seconds_per_pixel * passes
    return Outlook(
        len(plan.regions), plan.tile, plan.halo, plan.planned_bytes, plan.planned_bytes <= survey.usable_bytes, seconds
    )


def result_dtype(card: Card) -> np.dtype[np.generic]:
    """Return the type of a result: the smallest for labels, else float32."""
    labels = card.task == "segment"
    return np.min_scalar_type(max(len(card.classes) - 1, 1)) if labels else np.dtype(np.float32)


def result_shape(shape: tuple[int, ...], card: Card) -> tuple[int, ...]:
    """Return the shape of a result for an image of shape ``(..., h, w)``."""
    return (*shape[:-2], *(edge * card.upscale for edge in shape[-2:]))
