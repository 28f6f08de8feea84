"""``napari-emssl finetune``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..errors import UserError
from ..jobs.settings import FinetuneSettings
from ..models.tasks import task_of
from .path_checks import ImageChoice, check_distinct, require_existing, require_writable_file
from .run_files import TrainingOutput


def finetune(
    *,
    images: Annotated[Path, Parameter(help="A folder of images, or one image or stack.")],
    targets: Annotated[
        Path | None,
        Parameter(
            help="A folder of targets paired by name, or one target. Leave it out to denoise without clean images."
        ),
    ] = None,
    image: ImageChoice = None,
    start: Annotated[
        str | None,
        Parameter(
            help="Model to start from: a name from 'models list', a file, or scratch. Default: the recommended one."
        ),
    ] = None,
    split: Annotated[
        Path | None, Parameter(help="Use the images of this split, a file that another run wrote beside its model.")
    ] = None,
    output: TrainingOutput,
    settings: Annotated[FinetuneSettings, Parameter(name="*", group="Settings")] = FinetuneSettings(),
) -> int:
    """Train a model on few labels, starting from a pretrained generator.

    Returns
    -------
    int
        Exit status; 3 when the training diverged.

    Raises
    ------
    UserError
        When a path is missing, an output is there or would replace an input, or start, task and data do not fit
        together.
    """
    inputs = [images] if targets is None else [images, targets]
    kept, continues = output.split_file(split)
    check_distinct([*output.written, kept], [*inputs, *([split] if split and not continues else [])])
    output.check()
    if not continues:
        require_writable_file(kept, output.overwrite or output.resume is not None)
    require_existing([*inputs, *([split] if split else [])])
    if targets is None and not task_of(settings.task).learns_without_targets:
        raise UserError("--targets is missing: only --task denoise can learn without them.")
    from ..data.images.image import chosen_image
    from ..training.finetuning.finetune import finetune as begin
    from .train import train

    job = begin(
        chosen_image(images, image), targets, settings, start, **output.arguments(), split=split, keep_split=kept
    )
    return train(job, "Fine-tuning", output)
