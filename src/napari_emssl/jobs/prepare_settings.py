"""Settings of preparing data sets, written once, as all others in `settings`."""

from pydantic import Field

from .settings import Settings


class PrepareAuSettings(Settings):
    """How frames of gold nanoparticles become patches, after Sytwu, Groschner and Scott (2022)."""

    hot_pixels: float = Field(
        1500.0,
        gt=0,
        description="Replace pixels above the median of their frame by more than this by the mean of their neighbours; "
        "1500 was used for all sets but the one of 20 nm, for which it was 400.",
    )
    patch: int = Field(512, ge=32, le=4096, description="Edge of a patch in pixels; the rest of a frame is not used.")
    least_particle_px: int = Field(
        400, ge=0, description="Leave out patches that show no more pixels of particles than this."
    )
    standardise: bool = Field(True, description="Bring every frame to mean 0 and standard deviation 1.")
