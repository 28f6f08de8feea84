"""Settings that several jobs have: bounds and sentence are written here, and only the default where a job has them."""

from typing import Annotated, TypeVar

from pydantic import Field

T = TypeVar("T")
BatchSize = Annotated[int, Field(ge=1, le=4096, description="Patches in one training step.")]
Seed = Annotated[int, Field(ge=0, description="Seed of everything random.")]
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
