"""``napari-emssl pretrain``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..jobs.settings import PretrainSettings
from .files import require_existing
from .training import TrainingOutput, command_line, train


def pretrain(
    paths: Annotated[list[Path], Parameter(help="Image files and folders (TIFF, PNG, JPEG, NPY, MRC), any mix.")],
    /,
    *,
    output: TrainingOutput,
    licence: Annotated[str, Parameter(group="Output", help="Licence of the images, for the model's card.")] = "unknown",
    settings: Annotated[PretrainSettings, Parameter(name="*", group="Settings")] = PretrainSettings(),  # noqa: B008
) -> int:
    """Train a generator on unlabelled images: it learns to restore what was corrupted (GAN)."""
    if output.pictures is None:
        output = replace(output, pictures=output.output.with_name(f"{output.output.stem}-pictures"))
    output.check()
    require_existing(paths)
    from ..jobs.pretrain import pretrain as start

    job = start(
        paths, settings, name=output.output.stem, resume=output.resume, autosave=output.autosave,
        licence=licence, command=command_line(),
    )  # fmt: skip
    return train(job, "Pretraining", output)
