"""Settings of collages, written once; terminal, pretraining and records read them here."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


class CollageSettings(BaseModel):
    """What is laid on the micrographs, and what happens to the picture afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    size_px: int = Field(192, ge=64, le=2048, multiple_of=32, description="Edge of a collage in pixels.")
    radius_min_px: float = Field(1.5, gt=0, le=64, description="Smallest mean radius of a kind of objects, in pixels.")
    radius_max_px: float = Field(
        90.0, gt=1, le=512, description="Largest mean radius of a kind of objects, in pixels; objects may be cut off."
    )
    cover_max: float = Field(0.7, gt=0, le=0.95, description="Largest share of a collage that objects cover.")
    kinds_max: int = Field(3, ge=1, le=6, description="Maximum number of kinds of objects in one collage.")
    second_kind: float = Field(0.35, ge=0, le=1, description="Share of collages with more than one kind of objects.")
    touching: float = Field(0.35, ge=0, le=1, description="Share of the kinds whose objects may touch and overlap.")
    packed: float = Field(0.22, ge=0, le=1, description="Share of the kinds whose objects lie side by side in layers.")
    clustered: float = Field(0.2, ge=0, le=1, description="Share of the other kinds whose objects lie in clusters.")
    nested: float = Field(0.12, ge=0, le=1, description="Share of further kinds that lie inside objects of the first.")
    contrast_min: float = Field(
        0.08, gt=0, le=1, description="Lowest contrast of objects, in units of the image's range."
    )
    contrast_max: float = Field(0.9, gt=0, le=1, description="Highest contrast of objects, in the same units.")
    noise_max: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Strongest noise, sigma, in units of the image's range; most collages have far less.",
    )
    blur_max_px: float = Field(1.5, ge=0, le=8, description="Strongest Gaussian blur, sigma in pixels.")
    lettering: float = Field(
        0.45, ge=0, le=1, description="Share of collages with letters, scale bars, arrows and caption strips."
    )
    artefacts: float = Field(
        0.3, ge=0, le=1, description="Share of collages with each artefact: charging, curtains, stripes, vignetting."
    )

    @model_validator(mode="after")
    def _ordered(self) -> "CollageSettings":
        for low, high in (("radius_min_px", "radius_max_px"), ("contrast_min", "contrast_max")):
            least, most = getattr(self, low), getattr(self, high)
            if least > most:
                raise ValueError(f"{low} ({least:g}) is above {high} ({most:g})")
        return self

    def record(self) -> dict[str, Any]:
        """Return the settings as plain values, for ``settings.json`` and model cards."""
        return self.model_dump(mode="json")
