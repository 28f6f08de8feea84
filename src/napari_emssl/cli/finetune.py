"""``napari-emssl finetune``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..jobs.settings import FinetuneSettings
from .files import require_existing
from .training import TrainingOutput, command_line, train


def finetune(
    *,
    images: Annotated[Path, Parameter(help="A folder of images, or one image or stack.")],
    targets: Annotated[Path, Parameter(help="A folder of targets paired by name, or one target.")],
    start: Annotated[
        str | None,
        Parameter(help="Model to start from: a name of 'models list', a file, or scratch. Default: the recommended."),
    ] = None,
    output: TrainingOutput,
    settings: Annotated[FinetuneSettings, Parameter(name="*", group="Settings")] = FinetuneSettings(),  # noqa: B008
) -> int:
    """Train a model on few labels, starting from a pretrained generator."""
    output.check()
    require_existing([images, targets])
    from ..jobs.finetune import finetune as begin
    from ..models.zoo import recommended_start

    job = begin(
        images, targets, settings, recommended_start() if start is None else start, name=output.output.stem,
        resume=output.resume, autosave=output.autosave, command=command_line(),
    )  # fmt: skip
    return train(job, "Fine-tuning", output)
