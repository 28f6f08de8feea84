"""The download job: fetch a model from the first mirror that keeps its promise, and put it into the zoo.

The network is read in a thread, so that stopping is felt at once even while a server is silent.
"""

import queue
import threading
import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import UserError
from ..jobs.events import Control, Finished, Job, Notice, Update
from ..jobs.meter import Meter
from ..jobs.settings import DownloadSettings
from .fetch import Download, fetch_model
from .model_file import Card
from .zoo import adopt_file, free_place, own_folder

_LOOK_SECONDS = 0.05
_STALE_SECONDS = 86400.0
WAY_OUT = "Or fetch the file on any computer: 'napari-emssl models import FILE' takes it, without a network."

_Talk = queue.SimpleQueue[Update | Card | Exception]


class _StoppedError(Exception):
    """The user wants no more of it."""


def download(order: Download, settings: DownloadSettings | None = None, overwrite: bool = False) -> Job[Path | None]:
    """Fetch a model file, check it, and put it into the user's zoo.

    A mirror that fails is a `Notice`, and the next one is tried. `Progress` counts bytes. Nothing is left behind
    unless the file is whole, has its SHA-256 and reads as a model.

    Parameters
    ----------
    order
        Mirrors, SHA-256, name.
    settings
        How long to wait for a silent server.
    overwrite
        Whether an own model of that name may be replaced.

    Returns
    -------
    Job
        Its result is the file in the zoo, or None when it was stopped.

    Raises
    ------
    UserError
        When the name is taken or no name, or no mirror gives the file.

    """
    patience = (settings or DownloadSettings()).timeout_seconds

    def events(control: Control) -> Iterator[Update | Finished[Path | None]]:
        if order.name is not None:
            free_place(order.name, overwrite)
        temporary = _temporary_file()
        try:
            card = yield from _arriving(order, temporary, patience, control)
            path = adopt_file(temporary, order.name or card.name, overwrite) if card else None
            yield Finished(path, stopped=path is None)
        finally:
            with suppress(OSError):  # where a file in use cannot be removed, its thread will
                temporary.unlink(missing_ok=True)

    return Job(events)


def _temporary_file() -> Path:
    """Return a file to download to, beside the models so that renaming is enough; sweep what a killed run left."""
    folder = own_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob(".*.download"):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"Cannot write to '{folder}': {error.strerror or error}.") from error
    return folder / f".{uuid.uuid4().hex}.download"


def _arriving(
    order: Download, temporary: Path, patience: float, control: Control
) -> Generator[Update, None, Card | None]:
    """Yield what the thread tells; return the card of the model, or None when the job is stopped."""
    talk: _Talk = queue.SimpleQueue()
    threading.Thread(target=_work, args=(order, temporary, patience, control, talk), daemon=True).start()
    while not control.stopped:
        with suppress(queue.Empty):
            said = talk.get(timeout=_LOOK_SECONDS)
            if isinstance(said, _StoppedError):
                return None
            if isinstance(said, Exception):
                raise said
            if isinstance(said, Card):
                return said
            yield said
    return None


def _work(order: Download, temporary: Path, patience: float, control: Control, talk: _Talk) -> None:
    """Try one mirror after the other; the last thing said is a card or an exception."""
    said: Card | Exception
    try:
        said = _first_good(order, temporary, patience, control, talk)
    except OSError as error:
        said = UserError(f"Cannot write to '{temporary.parent}': {error.strerror or error}. Make room, then try again.")
    except Exception as error:
        said = error
    if control.stopped and isinstance(said, Exception):
        temporary.unlink(missing_ok=True)
    talk.put(said)


def _first_good(order: Download, temporary: Path, patience: float, control: Control, talk: _Talk) -> Card:
    failures = []
    for number, url in enumerate(order.urls, start=1):
        if control.stopped:
            raise _StoppedError
        try:
            return fetch_model(url, temporary, order, patience, _Teller(control, talk))
        except UserError as error:
            failures.append(str(error))
        if number < len(order.urls):
            talk.put(Notice(f"{failures[-1]} Trying the next mirror."))
    raise UserError(f"{' '.join(failures)}\n{WAY_OUT}")


class _Teller:
    """Counts the bytes that have arrived."""

    def __init__(self, control: Control, talk: _Talk) -> None:
        self.control, self.talk = control, talk
        self.meter = Meter()

    def __call__(self, done: int, total: int | None) -> None:
        if self.control.stopped:
            raise _StoppedError
        for event in self.meter.tick(done, total):
            self.talk.put(event)
