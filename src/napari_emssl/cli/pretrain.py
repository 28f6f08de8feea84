"""``napari-emssl pretrain``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..jobs.settings import PretrainSettings
from .files import require_existing
from .output import TrainingOutput


def pretrain(
    paths: Annotated[list[Path], Parameter(help="Image files and folders (TIFF, PNG, JPEG, NPY, MRC), any mix.")],
    /,
    *,
    output: TrainingOutput,
    settings: Annotated[PretrainSettings, Parameter(name="*", group="Settings")] = PretrainSettings(),
) -> int:
    """Train a generator on unlabelled images: it learns to restore what was corrupted (GAN)."""
    if output.pictures is None:
        output = replace(output, pictures=output.output.with_name(f"{output.output.stem}-pictures"))
    output.check()
    require_existing(paths)
    from ..jobs.pretrain import pretrain as start
    from .training import train

    return train(start(paths, settings, **output.arguments()), "Pretraining", output)
