"""What a training run writes while it runs: a log of JSON lines, pictures and curves."""

import json
import math
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TextIO, cast

from ..atomic_files import replacing
from ..errors import UserError
from ..jobs.events import Event, Finished, Preview, Progress
from ..json_text import parse_json
from ..training.history import CurveTable, draw_curves, read_table
from .path_checks import finite

_EVERY_EVENT_SECONDS = 60.0
_PICTURE_SPACING = 1.2
"""Factor between the steps of one picture and the next."""
_FIRST_DRAWING_SECONDS, _DRAWING_SECONDS = 10.0, 30.0
"""When the curves are drawn first, and the least time between two drawings."""


class Recorder(ABC):
    """A listener for which trouble with the disk is a warning and never the end of the training."""

    def __init__(self, what: str) -> None:
        self.what, self.broken = what, False

    def __call__(self, event: Event) -> None:
        """Take one event; after an error none is taken any more."""
        if self.broken:
            return
        try:
            self.take(event)
        except (OSError, UserError) as error:
            self.broken = True
            reason = getattr(error, "strerror", None) or error
            text = f"Warning: {self.what} can no longer be written ({reason}). Training continues."
            print(text, file=sys.stderr, flush=True)

    @abstractmethod
    def take(self, event: Event) -> None:
        """Write what the event says; may raise `OSError` or `UserError`."""


class RunLog(Recorder):
    """The log: one JSON object per line, flushed, so that it can be followed while training runs.

    A resumed run first drops the lines of later steps than the one it continues from: that work was lost and is done
    again.
    """

    def __init__(self, path: Path, resumed: bool = False) -> None:
        super().__init__(f"the log '{path}'")
        self.path, self.resumed = path, resumed
        self.file: TextIO | None = None
        self.due = Due()

    def take(self, event: Event) -> None:
        """Write a line for a `Progress` that is due; close the file at the end."""
        if isinstance(event, Progress):
            self.file = self.file or self._open(event.step)
            if self.due(event):
                self.file.write(json.dumps(line_of(event)) + "\n")
                self.file.flush()
        elif isinstance(event, Finished) and self.file is not None:
            self.file.close()

    def _open(self, step: int) -> TextIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.resumed and self.path.exists():
            kept = [line for line in self.path.read_text("utf-8").splitlines(True) if _is_kept(line, step)]
            with replacing(self.path, overwrite=True) as temporary:
                temporary.write_text("".join(kept), encoding="utf-8")
        return self.path.open("a" if self.resumed else "w", encoding="utf-8")


def _is_kept(line: str, step: int) -> bool:
    """Whether to keep a line: it is complete and of `step` or before, or it is no line of a log."""
    if not line.endswith("\n"):
        return False
    try:
        return bool(cast(dict[str, float], parse_json(line))["step"] <= step)
    except (ValueError, KeyError, TypeError):
        return True


class Pictures(Recorder):
    """A folder of panels, the rarer the longer the run, and of curves: a table, row by row, and now and then a PNG.

    A run first deletes what is left there of later steps than the one it continues from; a run that starts from the
    beginning deletes everything.
    """

    def __init__(self, folder: Path, resumed: bool = False) -> None:
        super().__init__(f"the pictures in '{folder}'")
        self.folder, self.resumed = folder, resumed
        self.table: CurveTable | None = None
        self.due, self.next_step = Due(), 0.0
        self.next_drawing = time.monotonic() + _FIRST_DRAWING_SECONDS
        self.unwritten: Preview | None = None

    def take(self, event: Event) -> None:
        """Write a `Progress` that is due to the table, draw a `Preview` that is due, draw everything at the end."""
        if isinstance(event, Progress):
            self._add(event)
        elif isinstance(event, Preview):
            self.unwritten = event
            if event.step >= self.next_step:
                self._draw()
        elif isinstance(event, Finished):
            self._draw()
            self._draw_curves()

    def _add(self, event: Progress) -> None:
        self.table = self.table or self._open(event.step if self.resumed else -1)
        if self.due(event):
            self.table.add(event)
        if time.monotonic() >= self.next_drawing:
            self._draw_curves()

    def _open(self, step: int) -> CurveTable:
        """Return the table up to `step`, and delete the panels of later steps."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for panel in self.folder.glob("step-*.png"):
            number = panel.stem.removeprefix("step-")
            if number.isdecimal() and int(number) > step:
                panel.unlink()
        path = self.folder / "curves.csv"
        return CurveTable(path, [record for record in read_table(path) if record.step <= step])

    def _draw(self) -> None:
        from ..training.panels import write_panel

        if self.unwritten is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            title = f"step {self.unwritten.step}  ·  {self.unwritten.caption}".removesuffix("  ·  ")
            write_panel(self.folder / f"step-{self.unwritten.step:07d}.png", self.unwritten.images, title)
            self.next_step = self.unwritten.step * _PICTURE_SPACING + 1
        self.unwritten = None

    def _draw_curves(self) -> None:
        """Draw the curves so far; drawing may take a hundredth of the time."""
        if self.table is not None and self.table.records:
            mark = time.monotonic()
            draw_curves(self.folder / "curves.png", self.table.records)
            now = time.monotonic()
            self.next_drawing = now + max(_DRAWING_SECONDS, 100 * (now - mark))


class Due:
    """Whether a `Progress` is recorded: all of the first minute, then one per second, and every validation.

    One without losses and metrics, as at the start of a resumed run, is not.
    """

    def __init__(self) -> None:
        self.last = -math.inf

    def __call__(self, event: Progress) -> bool:
        """Return whether the event is recorded, and remember when the last one was."""
        if not event.losses and not event.metrics:
            return False
        due = bool(event.metrics) or event.seconds < _EVERY_EVENT_SECONDS or event.seconds - self.last >= 1.0
        if due:
            self.last = event.seconds
        return due


def line_of(event: Progress) -> object:
    """Return the log's JSON object for one event; numbers that are not finite become None."""
    line: dict[str, object] = {
        "step": event.step,
        "total": event.total,
        "seconds": round(event.seconds, 3),
        "images_per_second": round(event.images_per_second, 2),
        "losses": dict(event.losses),
    }
    if event.epoch is not None:
        line["epoch"] = round(event.epoch, 4)
    if event.metrics:
        line["validation"] = dict(event.metrics)
    return finite(line)
