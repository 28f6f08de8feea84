"""What is being painted is written to the disk each minute, in a thread."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from ....errors import UserError
from ...threads.newest import NewestWins
from .classes import Unpainted, given_classes, shown_classes
from .painted_image import painted_image
from .painted_values import edit_events
from .painting_files import painting_paths, save_paintings

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Shapes

_MINUTE_MS = 60_000


@dataclass(frozen=True, eq=False)
class OpenPainting:
    """What is picked on the page."""

    image: "Image"
    painting: "Labels"
    shapes: "Shapes | None"
    unpainted: Unpainted


class MinuteSaver(QObject):
    """Keeps the painting that is picked, each minute in which it was edited, always in the same file.

    Parameters
    ----------
    picked
        Returns what is picked now; None where nothing can be saved.

    """

    def __init__(self, picked: Callable[[], OpenPainting | None], parent: QObject) -> None:
        super().__init__(parent)
        self._picked = picked
        self._painting: Labels | None = None
        self._path: list[Path] = []
        """Of the painting that is watched, once it was written."""
        self._edited = False
        self._writer = NewestWins[tuple[OpenPainting, list[Path]], Path](_write, parent=self)
        self._timer = QTimer(self, interval=_MINUTE_MS, timeout=self.save)
        self._timer.start()

    def watch(self, painting: "Labels | None") -> None:
        """Watch the edits of this painting; what was painted before is written now."""
        if painting is self._painting:
            return
        if self._painting is not None:
            for event in edit_events(self._painting):
                event.disconnect(self._on_edit)
        self._painting, self._path, self._edited = painting, [], False
        if painting is not None:
            for event in edit_events(painting):
                event.connect(self._on_edit)

    def save(self) -> None:
        """Write the painting if it was edited since it was written last."""
        picked = self._picked() if self._edited and not self._writer.busy else None
        if picked is not None and picked.painting is self._painting:
            self._edited = False
            self._writer.ask((picked, self._path))

    def on_close(self) -> None:
        """Write nothing any more."""
        self._timer.stop()
        self.watch(None)

    def _on_edit(self, _event: object = None) -> None:
        self._edited = True


def _write(question: tuple[OpenPainting, list[Path]]) -> Iterator[Path]:
    """Write a painting; runs in a thread. The next edit tries again where the disk was full."""
    picked, path = question
    with suppress(UserError, OSError):
        painted = painted_image(picked.image, picked.painting, picked.shapes)
        values = painted.values()
        if not values:
            return
        if not path:
            path += (file.with_name(f"unfinished-{file.name}") for file in painting_paths([painted], datetime.now()))
        classes = shown_classes([picked.painting], sorted({*values, *given_classes(picked.painting)}))
        save_paintings([painted], path, classes, picked.unpainted, overwrite=True)
        yield path[0]
