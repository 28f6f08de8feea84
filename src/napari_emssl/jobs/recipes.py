"""Recipes of fine-tuning: the settings that make them, and what each sets in place of the defaults.

The recipe ``paper`` follows Kazimi, Ruzaeva and Sandfeld (arXiv 2402.18286). What the paper states, what is read in its
references and what is our choice stands in docs/reference/recipes.md.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field

Recipe = Annotated[
    Literal["default", "paper"],
    Field(
        description="How fine-tuning is done: default, or paper, which sets whatever you do not set yourself as "
        "the paper did (page 'Recipes' of the documentation).",
    ),
]
RateSchedule = Annotated[
    Literal["cosine", "constant"],
    Field(
        description="Learning rate: a short rise, then a fall along a cosine to 2 % (cosine), or the same "
        "throughout (constant)."
    ),
]
Averaging = Annotated[
    bool, Field(description="Validate and return the moving average of the weights, otherwise the weights themselves.")
]
BalanceClasses = Annotated[
    bool,
    Field(
        description="Give all classes of a batch the same weight in the loss, however many pixels each has; otherwise "
        "it is the plain cross-entropy."
    ),
]
Sampling = Annotated[
    Literal["random", "epochs"],
    Field(
        description="Draw patches at random (for segmentation, around painted pixels), or image by image (epochs): "
        "each image once per pass, in random order, each time with another patch."
    ),
]
Visits = Annotated[
    int,
    Field(
        ge=1,
        le=1000,
        description="With --sampling epochs: how often a pass shows each image, each time with another patch.",
    ),
]
SplitBy = Annotated[
    Literal["frame", "image", "copy"],
    Field(
        description="What stays together when images are held out: everything cut from one frame or source "
        "(frame), the image (image), or not even that (copy): of the 8 flips and turns of an image some are "
        "learnt from and others scored. copy leaks, and shows how much better that makes the scores look."
    ),
]
NamedParts = Annotated[
    bool,
    Field(
        description="If names of files or folders say training, validation and test, keep their images in these parts."
    ),
]
ValidationEpochs = Annotated[
    int | None, Field(ge=1, description="Passes over the training images between two validations.")
]
Snapshots = Annotated[
    bool,
    Field(description="With a test: also score its images at every validation, with the best weights so far."),
]

_ALL_TASKS: dict[str, object] = {
    "learning_rate": 2e-4,
    "rate_schedule": "constant",
    "averaging": False,
    "balance_classes": False,
    "sampling": "epochs",
    "frozen_norm": False,
    "precision": "fp32",
    "warm_rate": 1.0,
    "begin_in_context": False,
    "epochs": 60,
    "validation_epochs": 5,
    "snapshots": True,
}
_SEGMENT: dict[str, object] = {"patch": 448, "batch_size": 8, "test": 0.2, "validation": 0.25}
_RESTORE: dict[str, object] = {"patch": 256, "batch_size": 64, "test": 0.15, "validation": 0.15}
_BY_TASK = {"segment": _SEGMENT, "denoise": _RESTORE, "remove-background": _RESTORE, "super-resolve": _RESTORE}


def follow_recipe(given: Mapping[str, object], fields: Collection[str]) -> dict[str, object]:
    """Return settings with the values of their recipe for whatever is not given, or given as None.

    Parameters
    ----------
    given
        Settings by name, as they were asked for.
    fields
        Names of the settings that there are; a recipe may know more.

    """
    if given.get("recipe") != "paper":
        return dict(given)
    special = _BY_TASK.get(str(given.get("task", "segment")), {})
    set_by_recipe = {name: value for name, value in (_ALL_TASKS | special).items() if name in fields}
    return set_by_recipe | {name: value for name, value in given.items() if value is not None}
