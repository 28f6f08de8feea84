"""Every setting of every job, written once.

The terminal's flag and its help, the form field and its tooltip, the check of the value, the table in the docs and the
record in the model file all come from these fields: default, bounds, unit, one sentence.
"""

import math
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .recipes import (
    Averaging,
    BalanceClasses,
    NamedParts,
    RateSchedule,
    Recipe,
    Sampling,
    Snapshots,
    SplitBy,
    ValidationEpochs,
    Visits,
    follow_recipe,
)

# What several jobs have: bounds and sentence are written here, and only the default where a job has them.
T = TypeVar("T")
BatchSize = Annotated[int, Field(ge=1, le=4096, description="Patches in one training step.")]
Seed = Annotated[int, Field(ge=0, le=10**19, description="Seed of everything random.")]
Epochs = Annotated[int | None, Field(ge=1, description="Number of passes over the training data.")]
AutosaveSeconds = Annotated[float, Field(gt=0, description="Seconds between two autosaves.")]
Generator = Annotated[T, Field(description="Network, by name; a start that is a model brings its own.")]
Width = Annotated[
    int | None,
    Field(ge=1, le=256, description="Filters of the first level; by default those of the name (4 for U-Nets)."),
]
Refine = Annotated[
    bool,
    Field(
        description="Give an HRNet a part at full resolution, so that it draws detail finer than 4 px; if the start "
        "has one, it is kept.",
    ),
]
FrozenNorm = Annotated[
    bool,
    Field(
        description="Keep the norm statistics that came with a start; otherwise they follow the batches, as those of "
        "random weights do.",
    ),
]
Norm = Annotated[
    Literal["auto", "batch", "instance"],
    Field(
        description="What the norms of the network average over: each channel of all patches of a batch (batch), "
        "or of each image on its own (instance). auto: as in the start, otherwise batch.",
    ),
]
HotPixels = Annotated[
    float | None,
    Field(
        gt=0,
        description="Set negative pixels to 0 and replace those above the median of their image by more than this "
        "by the mean of their neighbours.",
    ),
]

TrainTask = Literal["segment", "denoise", "remove-background", "super-resolve"]
"""Tasks that can be trained; the last three restore intensities."""


class Settings(BaseModel):
    """Base of all settings: frozen, numbers are finite, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DeviceSettings(Settings):
    """Where and how precisely a network runs."""

    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="Device: auto, cpu, cuda, cuda:1, mps. auto uses a GPU if there is one.",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="Arithmetic of the network; auto uses bf16 if the hardware supports it."
    )
    threads: str = Field(
        "auto",
        pattern=r"^(auto|[1-9]\d{0,3})$",
        coerce_numbers_to_str=True,
        description="Threads on the CPU: auto, or a number. auto takes one for each core, and where a time limit ends "
        "a training, fewer while that is faster.",
    )


class LearningSettings(DeviceSettings):
    """What one step of training takes."""

    batch_size: BatchSize = 8
    patch: int = Field(128, ge=32, le=2048, multiple_of=32, description="Edge of a training patch in pixels.")
    learning_rate: float = Field(2e-4, gt=0, le=1, description="Learning rate of Adam.")
    seed: Seed = 0


class TrainingSettings(LearningSettings):
    """What all training has in common."""

    steps: int | None = Field(None, ge=1, description="Number of training steps; takes precedence over epochs.")
    epochs: Epochs = None
    max_seconds: float | None = Field(None, gt=0, description="Stop training after this many seconds.")
    workers: int = Field(0, ge=0, le=256, description="Extra processes that make patches; with 0, a thread makes them.")
    validation_interval: int | None = Field(
        None, ge=1, description="Steps between two validations; by default chosen by the job."
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="End once this many validations in a row have found no better weights; by default never.",
    )
    autosave_seconds: AutosaveSeconds = 60.0


class PackSettings(Settings):
    """How unlabelled images are found and prepared."""

    layout: Literal["auto", "folder", "cem500k", "tem-imagenet", "au-hdf5", "au5nm"] = Field(
        "auto",
        description="How the images are laid out on disk (page 'Data formats' of the documentation); auto finds out.",
    )
    hot_pixels: HotPixels = None


class TargetSettings(Settings):
    """What the numbers in segmentation targets mean."""

    zero: Literal["auto", "background", "unpainted"] = Field(
        "auto",
        description="What 0 means in targets: background (dense masks) or unpainted (then 1 is background). "
        "auto: background in files, unpainted in arrays.",
    )
    merge_classes: bool = Field(
        False, description="Treat every non-zero value of dense masks as one class (masks that number the objects)."
    )


class SplitSettings(Settings):
    """Which images are held out."""

    validation: float = Field(
        0.2, ge=0, le=0.5, description="Share of the images or painted objects held out to choose the best weights."
    )
    test: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Share of the images held out first: neither learnt from nor validated on, and scored at the end.",
    )
    split_by: SplitBy = "frame"
    named_parts: NamedParts = True


class RecipeSettings(LearningSettings, TargetSettings):
    """How a network learns from few labels. With the recipe ``paper``, what is not given is as in the paper."""

    recipe: Recipe = "default"
    task: TrainTask = Field("segment", description="What the model should do.")
    target_levels: Literal["image", "own"] = Field(
        "image",
        description="Restoration: grey values of the clean targets are in the units of their images (image), or were "
        "scaled for each target on its own (own), as those of TEM-ImageNet were.",
    )
    learning_rate: float = Field(2e-3, gt=0, le=1, description="Highest learning rate of Adam.")
    rate_schedule: RateSchedule = "cosine"
    averaging: Averaging = True
    balance_classes: BalanceClasses = True
    sampling: Sampling = "random"
    visits: Visits = 1
    augment: bool = Field(
        True,
        description="Flip, turn and resize patches, and change their contrast and noise. With targets of intensities: "
        "flip and turn, and change contrast and brightness. With --sampling epochs: flip, turn and resize, and add "
        "noise, for both.",
    )
    frozen_norm: FrozenNorm = True
    hot_pixels: HotPixels = None

    def epoch_steps(self, planes: int) -> int:
        """Return the steps of a pass over this many training planes."""
        return math.ceil(planes * (self.visits if self.sampling == "epochs" else 1) / self.batch_size)

    @model_validator(mode="before")
    @classmethod
    def _follow_the_recipe(cls, given: object) -> object:
        return follow_recipe(given, cls.model_fields) if isinstance(given, dict) else given


class FinetuneSettings(RecipeSettings, TrainingSettings, SplitSettings):
    """Training on few labels, from a pretrained start. With no steps, epochs or max_seconds: 60 seconds."""

    generator: Generator[str | None] = None
    width: Width = None
    refine: Refine = False
    norm: Norm = "auto"
    warm_rate: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of the learning rate used when the start already segments, so that training continues "
        "gently and loses nothing at first.",
    )
    begin_in_context: bool = Field(
        True,
        description="For segmentation from a generator that segments in context: begin with its answer, train "
        "gently, and keep the answer if training does not beat it. Otherwise the generator is trained like "
        "any other start.",
    )
    context_rate: float = Field(
        0.1, gt=0, le=1, description="Share of the learning rate used when training begins in context."
    )
    least_gain: float = Field(
        0.005,
        ge=0,
        le=1,
        description="By how much the Dice of held-out painting must rise for a training that began in context to be "
        "kept.",
    )
    validation_epochs: ValidationEpochs = None
    snapshots: Snapshots = False
    supervision: Literal["auto", "frames", "blind-spot"] = Field(
        "auto",
        description="Denoising without clean targets: learn each frame of a stack from its neighbours (frames), or "
        "hidden pixels from those around them (blind-spot); auto: frames where the stack moves little.",
    )


class ApplySettings(DeviceSettings):
    """How a model runs over images."""

    tile: int | None = Field(
        None,
        ge=32,
        multiple_of=32,
        description="Edge of a tile in pixels; by default the fastest that fits.",
    )
    halo: int | None = Field(
        None, ge=0, multiple_of=32, description="Overlap around a tile in pixels; by default the network's reach."
    )
    batch_size: int = Field(1, ge=1, le=256, description="Tiles in one pass.")
    test_time_augmentation: bool = Field(
        False, description="Average over the 8 flips and rotations: slower, often a little better."
    )


class EvaluateSettings(ApplySettings, TargetSettings):
    """How a model is scored against targets."""


class MeasureSettings(Settings):
    """How particles are separated and which of them count."""

    labels: Literal["auto", "mask", "numbered"] = Field(
        "auto",
        description="What the values mean: one class each (mask) or one particle each (numbered). "
        "auto: a mask if there is only one value besides 0, or a few that stand for many separate pieces.",
    )
    split: float = Field(
        0.9,
        ge=0,
        le=1,
        description="In masks, separate particles where the neck between them is narrower than this share of the "
        "narrower one's width; 0 never separates.",
    )
    min_diameter: float = Field(
        0.0,
        ge=0,
        description="Leave out particles with a smaller equivalent diameter, in nm if the pixel size is known, "
        "otherwise in pixels.",
    )
    max_diameter: float | None = Field(
        None, gt=0, description="Leave out particles with a larger equivalent diameter, in the same unit."
    )
    exclude_border: bool = Field(
        True, description="Leave out particles that touch the edge of the image: they are cut, and look too small."
    )
    min_pixels: int = Field(
        9, ge=0, le=10**9, description="Leave out specks: particles of fewer pixels; their sizes would be mostly noise."
    )
    pixel_size: float | None = Field(
        None, gt=0, le=1e5, description="Pixel size in nm, for images that have none; calibrated ones keep theirs."
    )
    correct_pixel_size: bool = Field(
        False, description="Use the given pixel size even for images that have another one."
    )

    @model_validator(mode="after")
    def _diameters_ascend(self) -> "MeasureSettings":
        if self.max_diameter is not None and self.max_diameter < self.min_diameter:
            raise ValueError("min_diameter is greater than max_diameter. Swap them.")
        return self


class SimulateSettings(Settings):
    """How many images are simulated, and where they go; what they show stands in `simulation.stem.settings`."""

    count: int = Field(16, ge=1, le=100_000, description="Number of images.")
    seed: Seed = 0
    format: Literal["png", "tiff"] = Field(
        "png", description="Files in 8 bits, as those of TEM-ImageNet (png), or float32 in electrons per pixel (tiff)."
    )


class DownloadSettings(Settings):
    """How patient a download is."""

    timeout_seconds: float = Field(
        30.0, ge=0.1, le=3600, description="Give up on a server after this many seconds without any data."
    )
