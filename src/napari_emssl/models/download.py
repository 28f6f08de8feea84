"""The download job: fetch a model from the first mirror that gives what was promised, and put it into the zoo.

The network is read in a thread, so that the job stops at once even while a server is silent.
"""

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

from ..atomic_files import hidden_name, sweep_once
from ..errors import UserError
from ..jobs.events import Control, Finished, Job, Notice, Update
from ..jobs.meter import Meter
from ..jobs.settings import DownloadSettings
from .fetch import Download, fetch_model
from .model_file import Card
from .zoo import adopt_file, new_model_file, own_folder

_POLL_SECONDS = 0.05
WAY_OUT = (
    "Or download the file on any computer: 'Import …' in the dock EM SSL Models, or 'napari-emssl models import FILE', "
    "adds it without a network."
)

_Messages = queue.SimpleQueue[Update | Card | Exception]


class _StoppedError(Exception):
    """The job was asked to stop."""


def download(wanted: Download, settings: DownloadSettings | None = None, overwrite: bool = False) -> Job[Path | None]:
    """Fetch a model file, check it, and put it into the user's zoo.

    A mirror that fails is a `Notice`, and the next one is tried. `Progress` counts bytes. Nothing is left behind
    unless the file is whole, has its SHA-256 and reads as a model.

    Parameters
    ----------
    wanted
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
        From the iteration: when the name is taken or cannot be one, or no mirror gives the file.

    """
    patience = (settings or DownloadSettings()).timeout_seconds

    def events(control: Control) -> Iterator[Update | Finished[Path | None]]:
        if wanted.name is not None:
            new_model_file(wanted.name, overwrite)
        temporary = _temporary_file()
        try:
            card = yield from _arriving(wanted, temporary, patience, control)
            path = adopt_file(temporary, wanted.name or card.name, overwrite) if card else None
            yield Finished(path, stopped=path is None)
        finally:
            with suppress(OSError):  # Windows cannot remove a file in use: the thread does when it ends
                temporary.unlink(missing_ok=True)

    return Job(events)


def _temporary_file() -> Path:
    """Return a file to download to, beside the models so that renaming is enough; delete what killed runs left."""
    folder = own_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep_once(folder)
    except OSError as error:
        raise UserError(f"Cannot write to '{folder}': {error.strerror or error}.") from error
    return hidden_name(folder / "download")


def _arriving(
    wanted: Download, temporary: Path, patience: float, control: Control
) -> Generator[Update, None, Card | None]:
    """Yield the thread's events; return the card of the model, or None when the job is stopped."""
    messages: _Messages = queue.SimpleQueue()
    threading.Thread(target=_work, args=(wanted, temporary, patience, control, messages), daemon=True).start()
    while not control.stopped:
        with suppress(queue.Empty):
            message = messages.get(timeout=_POLL_SECONDS)
            if isinstance(message, _StoppedError):
                return None
            if isinstance(message, Exception):
                raise message
            if isinstance(message, Card):
                return message
            yield message
    return None


def _work(wanted: Download, temporary: Path, patience: float, control: Control, messages: _Messages) -> None:
    """Try one mirror after the other; the last message is a card or an exception."""
    last: Card | Exception
    try:
        last = _first_good(wanted, temporary, patience, control, messages)
    except OSError as error:
        last = UserError(f"Cannot write to '{temporary.parent}': {error.strerror or error}. Make room, then try again.")
    except Exception as error:
        last = error
    if control.stopped and isinstance(last, Exception):
        # the job is gone and could not delete the file while it was open (Windows)
        temporary.unlink(missing_ok=True)
    messages.put(last)


def _first_good(wanted: Download, temporary: Path, patience: float, control: Control, messages: _Messages) -> Card:
    failures = []
    for number, url in enumerate(wanted.urls, start=1):
        if control.stopped:
            raise _StoppedError
        try:
            return fetch_model(url, temporary, wanted, patience, _Reporter(control, messages))
        except UserError as error:
            failures.append(str(error))
        if number < len(wanted.urls):
            messages.put(Notice(f"{failures[-1]} Trying the next mirror."))
    raise UserError(f"{' '.join(failures)}\n{WAY_OUT}")


class _Reporter:
    """Counts the bytes that have arrived."""

    def __init__(self, control: Control, messages: _Messages) -> None:
        self.control, self.messages = control, messages
        self.meter = Meter()

    def __call__(self, done: int, total: int | None) -> None:
        if self.control.stopped:
            raise _StoppedError
        for event in self.meter.tick(done, total):
            self.messages.put(event)
