"""What is being painted is written to the disk each minute, and when it goes out of view, in a thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from ....errors import UserError
from ...threads.background import start_thread
from ...threads.newest import NewestWins
from .classes import Unpainted, given_classes, shown_classes
from .painted_image import painted_image
from .painted_values import edit_events
from .painting_files import painting_paths, save_paintings

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Shapes

_MINUTE_MS = 60_000
_WRITING = threading.Lock()
"""Held while a painting is written: a dock that closes does not wait for what the minute has begun."""


@dataclass(frozen=True, eq=False)
class OpenPainting:
    """What is picked on the page."""

    image: "Image"
    painting: "Labels"
    shapes: "Shapes | None"
    unpainted: Unpainted


class _Unwritten:
    """What was painted since it was written last; it outlives the dock, which Qt destroys with its window."""

    def __init__(self) -> None:
        self.picked: OpenPainting | None = None
        """What was picked at the first edit."""
        self.path: list[Path] = []
        """Of the painting that is watched, once it was written."""

    def take(self) -> tuple[OpenPainting, list[Path]] | None:
        """Return what is to be written, and where; None where there is nothing."""
        picked, self.picked = self.picked, None
        return None if picked is None else (picked, self.path)

    def __call__(self, *_: object) -> None:
        """Write it now: the program waits for the thread. Where the garbage collector came first, nothing is left."""
        question = self.take() if hasattr(self, "picked") else None
        if question is not None:
            start_thread(lambda: list(_write(question)))


class MinuteSaver(QObject):
    """Keeps the painting that is picked, each minute in which it was edited, always in the same file.

    What was painted since is written when another painting is picked, and when the dock or the viewer is closed.

    Parameters
    ----------
    picked
        Returns what is picked now; None where nothing can be saved.

    """

    def __init__(self, picked: Callable[[], OpenPainting | None], parent: QObject) -> None:
        super().__init__(parent)
        self._picked = picked
        self._painting: Labels | None = None
        self._unwritten = _Unwritten()
        self.destroyed.connect(self._unwritten)
        self._writer = NewestWins[tuple[OpenPainting, list[Path]], Path](_write, parent=self)
        self._timer = QTimer(self, interval=_MINUTE_MS, timeout=self.save)
        self._timer.start()

    def watch(self, painting: "Labels | None") -> None:
        """Watch the edits of this painting; what was painted before is written now."""
        if painting is self._painting:
            return
        self._unwritten()
        if self._painting is not None:
            for event in edit_events(self._painting):
                event.disconnect(self.note)
        self._painting, self._unwritten.path = painting, []
        if painting is not None:
            for event in edit_events(painting):
                event.connect(self.note)

    def save(self) -> None:
        """Write the painting if it was edited since it was written last."""
        if self._unwritten.picked is None or self._writer.busy:
            return
        self.note()  # with regions that came later
        question = self._unwritten.take()
        if question is not None:
            self._writer.ask(question)

    def on_close(self) -> None:
        """Write what is not written yet, and nothing after that."""
        self._timer.stop()
        self.watch(None)

    def note(self, _event: object = None) -> None:
        """Take note of an edit, of the painting or of what it means."""
        picked = self._picked()
        if picked is not None and picked.painting is self._painting:
            self._unwritten.picked = picked


def _write(question: tuple[OpenPainting, list[Path]]) -> Iterator[Path]:
    """Write a painting; runs in a thread. The next edit tries again where the disk was full."""
    picked, path = question
    with suppress(UserError, OSError), _WRITING:
        painted = painted_image(picked.image, picked.painting, picked.shapes)
        values = painted.values()
        if not values:
            return
        if not path:
            path += (file.with_name(f"unfinished-{file.name}") for file in painting_paths([painted], datetime.now()))
        classes = shown_classes([picked.painting], sorted({*values, *given_classes(picked.painting)}))
        save_paintings([painted], path, classes, picked.unpainted, overwrite=True)
        yield path[0]
