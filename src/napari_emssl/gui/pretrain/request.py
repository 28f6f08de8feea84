"""A pretraining as it was asked for in the dock, resolved into one frozen order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ... import worker_jobs
from ...errors import UserError
from ...jobs.events import Job
from ...jobs.settings import PretrainSettings
from ...jobs.worker import client
from ...models.model_file import Model
from ..layers.layers import LayerSnapshot, snapshot_of
from ..models.picker import SCRATCH

_BROUGHT = ("generator", "width", "refine")
"""Settings of the network, which a start brings."""

DEFAULTS = PretrainSettings(
    batch_size=8, patch=128, epochs=None, max_seconds=600.0, learning_rate_decay=0.5, discriminator_width=32,
    hold_out="parts", autosave_seconds=30.0, generator="unet-4-200",
)  # fmt: skip
"""What a desktop computer does in ten minutes; those of the generators that ship, not the paper's."""


@dataclass(frozen=True)
class PretrainOrder:
    """Everything a pretraining needs: nothing that is done to layers or dock afterwards changes it."""

    layers: tuple[LayerSnapshot, ...]
    """Open images, read plane by plane when the job asks."""
    paths: tuple[Path, ...]
    settings: PretrainSettings
    start: str
    """A generator by name, or ``scratch``."""
    name: str
    licence: str
    autosave: Path
    resume: Path | None = None

    def make_job(self) -> Job[Model]:
        """Start the job in its process; called in the worker thread."""
        sources: list[Any] = [*(source.image() for source in self.layers), *self.paths]
        return client.run(
            worker_jobs.pretrain, sources, self.settings, start=self.start, name=self.name, licence=self.licence,
            autosave=self.autosave, resume=self.resume,
        )  # fmt: skip

    def resumed(self) -> "PretrainOrder":
        """Return the same order, to go on from its last autosave."""
        return replace(self, resume=self.autosave)


def pretrain_order(
    layers: Sequence[Any],
    paths: Sequence[Path],
    settings: PretrainSettings,
    start: str | None,
    name: str,
    licence: str,
    autosave: Path,
) -> PretrainOrder:
    """Resolve layers, paths and settings into what a pretraining needs.

    Raises
    ------
    UserError
        When there is nothing to learn from, or a path is gone.

    """
    if not layers and not paths:
        raise UserError("There is nothing to learn from. Tick an image, or choose a folder or files.")
    for path in paths:
        if not path.exists():
            raise UserError(f"'{path}' is gone. Choose another one.")
    chosen = start or SCRATCH
    if chosen != SCRATCH:
        fields = PretrainSettings.model_fields
        settings = settings.model_copy(update={field: fields[field].default for field in _BROUGHT})
    sources = tuple(snapshot_of(layer) for layer in layers)
    return PretrainOrder(sources, tuple(paths), settings, chosen, name, licence or "unknown", autosave)
