"""A pretraining as it was asked for in the dock, resolved into one frozen request."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ... import worker_jobs
from ...data.images.image import Image
from ...errors import UserError
from ...jobs.events import Job
from ...jobs.pretrain_settings import PretrainSettings
from ...jobs.worker import client
from ...models.model_file import Model
from ..job.request import RunOptions
from ..layers.layers import LayerSnapshot, snapshot_of
from ..models.picker import SCRATCH

if TYPE_CHECKING:
    from napari.layers import Layer

_BROUGHT = ("generator", "width", "refine", "norm")
"""Settings of the network, which a start brings."""

DEFAULTS = PretrainSettings(
    batch_size=8, patch=128, epochs=None, max_seconds=600.0, learning_rate_decay=0.5, discriminator_width=32,
    hold_out="parts", autosave_seconds=30.0, generator="unet-4-200",
)  # fmt: skip
"""What a desktop computer does in ten minutes; those of the generators that ship, not the paper's."""


@dataclass(frozen=True)
class PretrainRequest:
    """Everything a pretraining needs."""

    layers: tuple[LayerSnapshot, ...]
    """Open images, read plane by plane when the job asks."""
    paths: tuple[Path, ...]
    settings: PretrainSettings
    start_from: str
    """A generator by name, or ``scratch``."""
    licence: str
    """Licence of the images."""

    def start(self, options: RunOptions) -> Job[Model]:
        """Make the job, whose result is a model, in its process.

        Parameters
        ----------
        options
            Name of the generator, autosave and resume.

        """
        sources: list[Image | Path] = [*(layer.image() for layer in self.layers), *self.paths]
        return client.run(
            worker_jobs.pretrain, sources, self.settings, start=self.start_from, name=options.name,
            licence=self.licence, autosave=options.autosave, resume=options.resume,
        )  # fmt: skip


def pretrain_request(
    layers: "Sequence[Layer]", paths: Sequence[Path], settings: PretrainSettings, start: str | None, licence: str
) -> PretrainRequest:
    """Resolve layers, paths and settings into what a pretraining needs.

    Parameters
    ----------
    layers, paths
        What is learnt from; the pixels of layers are not read yet.
    settings
        As on screen.
    start
        A generator by name, which brings its network; None or ``scratch`` for random weights.
    licence
        Licence of the images; empty where it is not known.

    Raises
    ------
    UserError
        When there is nothing to learn from, or a path is gone.

    """
    if not layers and not paths:
        raise UserError("There is nothing to learn from. Tick an image, or choose a folder or files.")
    for path in paths:
        if not path.exists():
            raise UserError(f"'{path}' no longer exists. Choose another one.")
    chosen = start or SCRATCH
    if chosen != SCRATCH:
        fields = PretrainSettings.model_fields
        settings = settings.model_copy(update={field: fields[field].default for field in _BROUGHT})
    snapshots = tuple(snapshot_of(layer) for layer in layers)
    return PretrainRequest(snapshots, tuple(paths), settings, chosen, licence or "unknown")
