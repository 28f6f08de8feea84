"""Settings of segmentation in context."""

from typing import Literal

from pydantic import Field

from .settings import ApplySettings, DeviceSettings, TargetSettings


class ContextSettings(DeviceSettings, TargetSettings):
    """How painted pixels become a model without training."""

    most_painted: int = Field(
        128,
        ge=1,
        le=10_000,
        description="Painted pixels of each class that the model remembers, drawn at random.",
    )
    shrink: Literal["auto", "0.5", "1", "2", "4"] = Field(
        "auto",
        description="Factor by which images are shrunk for the network; auto decides by the size of the painted "
        "objects, since large ones are drawn better that way. 0.5 smooths and enlarges images instead, for tiny "
        "particles in noise.",
    )
    filter_share: float = Field(
        0.33,
        ge=0,
        le=1,
        description="Share of a classifier by filters in the answer, unless the network finds each of several painted "
        "objects from the others. Below 0.5 it decides only where the network is in doubt, which helps with objects "
        "of a few pixels; with 0 the network answers alone.",
    )
    seed: int = Field(0, ge=0, le=10**19, description="Seed that decides which painted pixels are remembered.")


class SegmentInContextSettings(ContextSettings, ApplySettings):
    """How painted pixels become a model, and how that model runs over images."""

    @property
    def context(self) -> ContextSettings:
        """The part that makes the model, which its card records."""
        return ContextSettings.model_validate(self.model_dump(include=set(ContextSettings.model_fields)))
