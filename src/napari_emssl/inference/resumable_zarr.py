"""Results on disk that grow plane by plane, keep what is there when a run ends early, and can be resumed.

They are OME-Zarr and have their name from the start; how far they have come stands in their attributes, as
`zarr_progress` reads it. Imports no torch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..data.formats.ome_zarr import ZarrGrid
from ..data.images.own_results import PROGRESS_ATTRIBUTE
from ..data.images.writers import create_zarr
from ..errors import UserError
from ..jobs.meter import Interval
from ..models.results import ResultLayout
from .sinks import place_of
from .zarr_progress import ZarrProgress, check_place, read_progress

if TYPE_CHECKING:
    import zarr

_SECONDS_BETWEEN_FLUSHES = 1.0


class ZarrWriter:
    """Writes a result plane by plane, and now and then into its attributes how far it has come."""

    takes_long = True

    def __init__(self, group: "zarr.Group", progress: ZarrProgress) -> None:
        self._group, self.progress = group, progress
        self._array = group["0"]
        self._since_flush = Interval(_SECONDS_BETWEEN_FLUSHES)
        self._since_flush.restart()

    @property
    def done(self) -> int:
        """How many planes are written, from the first on."""
        return self.progress.done

    def put(self, index: int, plane: NDArray[np.generic]) -> None:
        """Write the plane ``(h, w)`` of this number, counted over all axes before the last two."""
        self._array[place_of(index, self.progress.shape)] = plane
        self.progress = replace(self.progress, done=index + 1)
        if self._since_flush.over:
            self.flush()

    def flush(self) -> None:
        """Write down how far the result has come: a run that is killed is resumed from here."""
        self._since_flush.restart()
        self._group.attrs[PROGRESS_ATTRIBUTE] = asdict(self.progress)


@dataclass(frozen=True)
class ResumableZarr:
    """An OME-Zarr that keeps what is written; one that an earlier run began is resumed."""

    path: Path
    progress: ZarrProgress
    """What it will record about itself, none of it done."""
    grid: ZarrGrid | None = None
    overwrite: bool = False
    """Whether a result of this program may be replaced."""

    def check(self, layout: ResultLayout) -> None:
        """Raise `UserError` when something else is there, or the image has too many axes."""
        check_place(self.path, self.progress, self.overwrite)

    @contextmanager
    def open(self, layout: ResultLayout) -> Iterator[ZarrWriter]:
        """Make the result or open what there is of it.

        Raises
        ------
        UserError
            When something else is there already and `overwrite` is False, the image has too many axes, or the disk is
            full.

        """
        check_place(self.path, self.progress, self.overwrite)
        try:
            writer = (None if self.overwrite else self._begun()) or self._fresh(layout)
            try:
                yield writer
            finally:
                writer.flush()
        except OSError as error:
            raise UserError(
                f"'{self.path}' cannot be written ({error.strerror or error}). The planes done so far are kept; make "
                "room, then apply again to resume, or choose another folder."
            ) from error

    def _begun(self) -> ZarrWriter | None:
        import zarr

        there = read_progress(self.path)
        return None if there is None else ZarrWriter(zarr.open_group(self.path, mode="r+"), there)

    def _fresh(self, layout: ResultLayout) -> ZarrWriter:
        import zarr

        self.path.parent.mkdir(parents=True, exist_ok=True)
        create_zarr(self.path, layout.shape, layout.dtype, overwrite=self.overwrite, axes=layout.axes)
        group = zarr.open_group(self.path, mode="r+")
        if self.grid is not None:
            group.attrs["ome"] = self.grid.ome(group.attrs["ome"])
        writer = ZarrWriter(group, self.progress)
        writer.flush()
        return writer
