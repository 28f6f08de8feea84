"""What a training run leaves behind while it runs: a log of JSON lines, pictures and curves."""

import json
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ..jobs.events import Event, Finished, Preview, Progress
from .files import finite

_EVERY_EVENT_SECONDS = 60.0
_PICTURE_SPACING = 1.2


class Recorder(ABC):
    """A listener whose trouble with the disk costs a warning, never the training."""

    def __init__(self, what: str) -> None:
        self.what, self.broken = what, False

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if self.broken:
            return
        try:
            self.take(event)
        except OSError as error:
            self.broken = True
            text = f"Warning: {self.what} cannot be written any more ({error.strerror or error}). Training goes on."
            print(text, file=sys.stderr, flush=True)

    @abstractmethod
    def take(self, event: Event) -> None:
        """Write what the event tells; may raise OSError."""


class RunLog(Recorder):
    """The log: one JSON object a line, flushed, so that it can be followed while training runs."""

    def __init__(self, path: Path, append: bool) -> None:
        super().__init__(f"the log '{path}'")
        self.path, self.mode = path, "a" if append else "w"
        self.file: IO[str] | None = None
        self.due = Due()

    def take(self, event: Event) -> None:
        """Write a line for a `Progress` that is due; close the file at the end."""
        if isinstance(event, Progress) and self.due(event):
            self._write(line_of(event))
        elif isinstance(event, Finished) and self.file is not None:
            self.file.close()

    def _write(self, line: Mapping[str, Any]) -> None:
        file = self.file or self._open()
        file.write(json.dumps(line) + "\n")
        file.flush()

    def _open(self) -> IO[str]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open(self.mode, encoding="utf-8")
        return self.file


class Pictures(Recorder):
    """A folder of panels, the further apart the longer the run, and the curves as PNG and CSV."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"the pictures in '{folder}'")
        self.folder = folder
        self.records: list[Progress] = []
        self.due, self.next_step = Due(), 0.0
        self.unwritten: Preview | None = None

    def take(self, event: Event) -> None:
        """Remember a `Progress`, draw a `Preview` that is due, draw the curves and the last panel at the end."""
        if isinstance(event, Progress) and self.due(event):
            self.records.append(event)
        elif isinstance(event, Preview):
            self.unwritten = event
            if event.step >= self.next_step:
                self._draw()
        elif isinstance(event, Finished):
            self._draw()
            self._draw_curves()

    def _draw(self) -> None:
        from ..jobs.pictures import write_panel

        if self.unwritten is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_panel(self.folder / f"step-{self.unwritten.step:07d}.png", self.unwritten.images)
            self.next_step = self.unwritten.step * _PICTURE_SPACING + 1
        self.unwritten = None

    def _draw_curves(self) -> None:
        from ..jobs.pictures import write_curves

        if self.records:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_curves(self.folder / "curves.png", self.folder / "curves.csv", self.records)


class Due:
    """Whether a `Progress` is worth a record: all of the first minute, then one a second and every validation."""

    def __init__(self) -> None:
        self.last = -math.inf

    def __call__(self, event: Progress) -> bool:
        """Answer, and remember the answer."""
        due = bool(event.metrics) or event.seconds < _EVERY_EVENT_SECONDS or event.seconds - self.last >= 1.0
        if due:
            self.last = event.seconds
        return due


def line_of(event: Progress) -> dict[str, Any]:
    """Return what the log says of one event; numbers that are not finite become None."""
    line: dict[str, Any] = {
        "step": event.step,
        "total": event.total,
        "seconds": round(event.seconds, 3),
        "images_per_second": round(event.images_per_second, 2),
        "losses": dict(event.losses),
    }
    if event.metrics:
        line["validation"] = dict(event.metrics)
    cleaned: dict[str, Any] = finite(line)
    return cleaned
