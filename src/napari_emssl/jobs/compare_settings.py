"""Settings of comparisons, written once, as all others in `settings`."""

from typing import Literal

from pydantic import Field, model_validator

from .recipes import ValidationEpochs, follow_recipe
from .settings import Epochs, RecipeSettings, SplitSettings

DEFAULT_STEPS = 200


class CompareSettings(RecipeSettings, SplitSettings):
    """What a start gives against random weights: the same recipe, images and seeds for all."""

    steps: int | None = Field(
        None, ge=1, description="Training steps of every run; takes precedence over epochs. With neither: 200."
    )
    epochs: Epochs = None
    validation_epochs: ValidationEpochs = None
    validation: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Share of the images held out to choose the best weights, which are then scored; 0 scores the "
        "weights as they are.",
    )
    test: float = Field(
        0.3, gt=0, le=0.9, description="Share of the images held out for the test, if no test images are given."
    )
    workers: int = Field(0, ge=0, le=256, description="Extra processes that make patches; with 0, a thread makes them.")
    seeds: int = Field(3, ge=1, le=1000, description="Runs of each start, with seeds counting up from --seed.")
    evaluations: int = Field(
        7,
        ge=2,
        le=100,
        description="Maximum number of steps at which a run is scored: 0, the last, and 1, 2, 5, 10, ... in between.",
    )
    train_count: int | None = Field(
        None,
        ge=1,
        description="Training images of a run, drawn by its seed; a larger number contains the images of "
        "a smaller one; default all.",
    )
    test_count: int | None = Field(None, ge=1, description="Test images, drawn once for all runs; default all.")
    paint: int = Field(
        0,
        ge=0,
        le=1000,
        description="Learn from this many whole objects of each class on every training image, the ring around "
        "them and three dabs of background; 0 learns from whole targets.",
    )
    least_objects: int = Field(10, ge=1, description="With --paint: leave out images that show fewer objects.")
    score_on: Literal["images", "unpainted"] = Field(
        "images",
        description="Score on test images, or, with --paint, on the pixels of the training images left unpainted.",
    )
    random_twins: bool = Field(True, description="Also run the network of every pretrained start from random weights.")

    @property
    def counts_epochs(self) -> bool:
        """Whether runs last for epochs, not for steps."""
        return self.steps is None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        filled = follow_recipe(given, cls.model_fields)
        undecided = filled.get("steps") is None and filled.get("epochs") is None
        return filled | {"steps": DEFAULT_STEPS} if undecided else filled
