"""Settings of pretraining, written once, as all others in `settings`."""

from typing import Literal

from pydantic import Field, model_validator

from .settings import (
    AutosaveSeconds,
    BatchSize,
    Epochs,
    FrozenNorm,
    Generator,
    Norm,
    PackSettings,
    Refine,
    TrainingSettings,
    Width,
)

PRETEXTS = ("restore", "collage", "episodes")
"""Pretext tasks by name; see `PretrainSettings.pretext`."""


class PretrainSettings(TrainingSettings, PackSettings):
    """Pretraining: a generator learns from images without labels, by one pretext task or several.

    By default it learns to restore corrupted images (the GAN stage). Defaults are the paper's where it states them;
    strengths of the corruption are our choice.
    """

    pretext: str = Field(
        "restore",
        description="What is learnt: restore (corrupted images, the GAN), collage (objects against ground, on collages "
        "of the images), episodes (the objects of a collage that are like painted ones); several are joined by +.",
    )
    restore_weight: float = Field(1.0, gt=0, description="Weight of the restore task if it is not the only one.")
    collage_weight: float = Field(1.0, gt=0, description="Weight of the collage task.")
    episodes_weight: float = Field(1.0, gt=0, description="Weight of the episodes task.")
    vector_channels: int = Field(
        16, ge=2, le=256, description="Numbers by which episodes compare pixels; they are the first output channels."
    )
    collage_views: int = Field(
        1,
        ge=1,
        le=16,
        description="How often each collage is shown, each time turned, with different contrast and different "
        "paint. Use 2 or more if collages are made more slowly than they are learnt from.",
    )
    mask_decoder: str = Field(
        "auto",
        description="U-Net, as wide as the generator, that learns from episodes to draw masks from similarities; none: "
        "similarity decides. auto: as in the start, otherwise none.",
    )

    generator: Generator[str] = "unet-2-44"
    width: Width = None
    refine: Refine = False
    norm: Norm = "auto"
    images: int | None = Field(None, ge=1, description="Use this many training images, drawn by the seed; default all.")
    validation: int | None = Field(
        None, ge=0, description="Images held out for validation; by default a tenth, 5000 at most."
    )
    hold_out: Literal["images", "parts"] = Field(
        "images",
        description="Hold out whole images, or, where there are few, a part of each: the last tenth of the planes of a "
        "stack, the lowest rows of a single plane.",
    )
    test: int = Field(
        0, ge=0, description="Images held out for the test: neither learnt from nor validated on, scored at the end."
    )
    epochs: Epochs = 60
    batch_size: BatchSize = 128
    patch: int = Field(224, ge=64, le=2048, multiple_of=32, description="Edge of a training patch in pixels.")
    learning_rate_decay: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the run, at its end, over which the learning rate falls evenly to 0; 0 keeps it "
        "constant.",
    )
    frozen_norm: FrozenNorm = True
    l1_weight: float = Field(100.0, ge=0, description="Weight of the L1 loss relative to the adversarial loss.")
    noise_min: float = Field(
        0.02, ge=0, le=1, description="Minimum Gaussian noise, sigma, in units of the image's range."
    )
    noise_max: float = Field(
        0.20, ge=0, le=1, description="Maximum Gaussian noise, sigma, in units of the image's range."
    )
    blur_min: float = Field(0.0, ge=0, le=8, description="Minimum Gaussian blur, sigma in pixels.")
    blur_max: float = Field(2.0, ge=0, le=8, description="Maximum Gaussian blur, sigma in pixels.")
    discriminator_width: int = Field(64, ge=4, le=256, description="Filters of the discriminator's first layer.")
    autosave_seconds: AutosaveSeconds = 300.0

    @property
    def noise(self) -> tuple[float, float]:
        """Least and most noise, see `corruption.corrupt`."""
        return self.noise_min, self.noise_max

    @property
    def blur(self) -> tuple[float, float]:
        """Least and most blur, pixels."""
        return self.blur_min, self.blur_max

    @property
    def pretexts(self) -> tuple[str, ...]:
        """The pretext tasks that are learnt, in the order of `PRETEXTS`."""
        return tuple(name for name in PRETEXTS if name in self.pretext.split("+"))

    @model_validator(mode="after")
    def _pretexts_are_known(self) -> "PretrainSettings":
        asked = self.pretext.split("+")
        for name in asked:
            if name not in PRETEXTS:
                raise ValueError(
                    f"there is no pretext task '{name}'. Choose from {', '.join(PRETEXTS)}, several joined by +."
                )
            if asked.count(name) > 1:
                raise ValueError(f"the pretext task {name} is named twice. Name it once.")
        return self

    @model_validator(mode="after")
    def _ranges_ascend(self) -> "PretrainSettings":
        for kind in ("noise", "blur"):
            if getattr(self, f"{kind}_min") > getattr(self, f"{kind}_max"):
                raise ValueError(f"{kind}_min is greater than {kind}_max. Swap them.")
        return self
