"""What a model is applied to, and where the results go: one frozen request. No Qt, no viewer."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ... import worker_jobs
from ...data.formats.ome_zarr import ZarrGrid
from ...data.images.image import Image
from ...data.images.user_folder import safe_stem
from ...errors import UserError
from ...formatting import bytes_in_words
from ...inference.apply_task import ApplyResult, ApplyTask
from ...inference.zarr_progress import ZarrProgress, check_not_done, check_place, progress_of
from ...jobs.events import Job
from ...jobs.settings import ApplySettings
from ...jobs.worker import client
from ...models.model_file import Card
from ...models.results import result_dtype, result_shape
from ...models.tasks import task_of
from ...models.zoo import find_model, load_card
from ...resources import free_disk, free_main_memory
from ..job.request import RunOptions
from ..layers.layers import LayerSnapshot, appearance_of, placement_of_finer, placement_of_plane, snapshot_of

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

DestinationKind = Literal["memory", "disk", "lazy"]
_LABELS_SHRINK = 8
"""Labels compress to less than this part of their size; intensities hardly at all."""


@dataclass(frozen=True)
class Selection:
    """The planes of one layer that a model is applied to."""

    source: LayerSnapshot
    index: tuple[int, ...] | None = None
    """The one plane to work on; None for all planes."""
    appearance: dict[str, Any] = field(default_factory=dict, repr=False)
    """Keyword arguments that make an Image layer look like the source."""

    @property
    def title(self) -> str:
        """What is worked on, for messages."""
        return f"'{self.source.name}'" + (f", plane {list(self.index)}" if self.index else "")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what is worked on, ``(..., h, w)``."""
        return self.source.shape if self.index is None else self.source.shape[-2:]

    @property
    def planes(self) -> int:
        """How many planes are worked on."""
        return int(np.prod(self.shape[:-2], dtype=int))

    def image(self) -> Image:
        """Return the planes as the job takes them."""
        return self.source.image(self.index)


@dataclass(frozen=True)
class Destination:
    """Where the results of a run go."""

    place: DestinationKind = "memory"
    why: str = ""
    """What of the size decided, where the user has left the place open: ``more than 2 GB``."""
    folder: Path | None = None
    """Holds the OME-Zarr results."""
    overwrite: bool = False


@dataclass(frozen=True)
class ApplyRequest:
    """A model, the planes it is applied to, how, and where the results go."""

    selections: tuple[Selection, ...]
    model: str
    """Name in the zoo, or path."""
    card: Card
    """The card of that model."""
    settings: ApplySettings = field(default_factory=ApplySettings)
    destination: Destination = field(default_factory=Destination)

    @property
    def title(self) -> str:
        """What is worked on, for messages."""
        return self.selections[0].title if len(self.selections) == 1 else f"{len(self.selections)} layers"

    @property
    def bytes(self) -> int:
        """Size of all results in memory."""
        return sum(map(self.bytes_of, self.selections))

    def bytes_of(self, selection: Selection) -> int:
        """Return the size of one result in memory."""
        return int(np.prod(result_shape(selection.shape, self.card), dtype=float) * result_dtype(self.card).itemsize)

    def going_to(self, destination: Destination) -> "ApplyRequest":
        """Return the same request with another destination."""
        return replace(self, destination=destination)

    def path_of(self, selection: Selection) -> Path | None:
        """Return the OME-Zarr that a result goes to; None where it stays in memory."""
        if self.destination.place != "disk" or self.destination.folder is None:
            return None
        plane = "".join(f" {i}" for i in selection.index or ())
        return (
            self.destination.folder
            / f"{safe_stem(selection.source.name, 80)}{plane} {safe_stem(self.card.name, 60)}.zarr"
        )

    def progress_of(self, selection: Selection) -> ZarrProgress:
        """Return what a result on disk records about itself before its first plane is done."""
        augmented = self.settings.test_time_augmentation
        return progress_of(self.card, selection.source.name, selection.shape, augmented)

    def grid_of(self, selection: Selection) -> ZarrGrid:
        """Return where a result lies, for its file."""
        where = selection.source.placement
        where = placement_of_finer(where if selection.index is None else placement_of_plane(where), self.card.upscale)
        units = tuple(str(unit) for unit in where.get("units", ("pixel",) * len(selection.shape)))
        return ZarrGrid(tuple(map(float, where["scale"])), tuple(map(float, where["translate"])), units)

    def start(self, options: RunOptions) -> Job[tuple[ApplyResult, ...]]:
        """Make the job, which gives one result for each selection.

        Called in the worker thread, as lazy images may be looked into.

        Parameters
        ----------
        options
            Applying has none.

        Raises
        ------
        UserError
            When the model is not there any more.

        """
        tasks = [
            ApplyTask(each.image(), self.path_of(each), self.destination.overwrite, self.grid_of(each))
            for each in self.selections
        ]
        return client.run(worker_jobs.apply_images, str(find_model(self.model)), tasks, self.settings)


def select(image: "ImageLayer | None", index: tuple[int, ...] | None = None) -> Selection:
    """Read an image layer off the viewer, and which plane of it (None: all); its pixels are not read."""
    if image is None:
        raise UserError(
            "There is no image layer. Open an image, or choose File > Open Sample > EM SSL for electron micrographs."
        )
    return Selection(snapshot_of(image), index or None, appearance_of(image))


def apply_request(selections: Sequence[Selection], model: str | None, settings: ApplySettings) -> ApplyRequest:
    """Resolve what is asked for; the results stay in memory until a destination is chosen.

    Parameters
    ----------
    selections
        The planes, see `select`.
    model
        Name in the zoo, or path; None where there is no model.
    settings
        How it is applied.

    Raises
    ------
    UserError
        When there is no such model, or its file is damaged.

    """
    if not model:
        raise UserError("There is no model to apply. Fine-tune one first, or open a model file.")
    return ApplyRequest(tuple(selections), model, load_card(model), settings)


def check_fits(request: ApplyRequest) -> None:
    """Raise `UserError` where the results do not fit or would overwrite something, before anything is computed."""
    destination = request.destination
    if destination.place == "memory" and request.bytes > free_main_memory() // 2:
        raise UserError(
            f"The result would take {bytes_in_words(request.bytes)}, more than half of the free memory "
            f"({bytes_in_words(free_main_memory())}). Write it to disk, or have it computed when viewed."
        )
    if destination.place != "disk":
        return
    places = []
    for selection in request.selections:
        path = request.path_of(selection)
        assert path is not None
        places.append((path, request.progress_of(selection), destination.overwrite))
        check_place(*places[-1])
        needed = request.bytes_of(selection) // (_LABELS_SHRINK if task_of(request.card.task).gives_labels else 1)
        if needed > free_disk(path):
            raise UserError(
                f"The result would take about {bytes_in_words(needed)} of disk, but only "
                f"{bytes_in_words(free_disk(path))} are free there. Choose another folder, or fewer planes."
            )
    check_not_done(places)
