"""The parent's side of one job in another process: draining its events, serving planes, noticing its death."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Generic

import numpy as np

from ...errors import UserError
from ..events import Finished, T_co, Update
from .pickling import Message
from .process import Process
from .target import LazyFunction

_POLL_SECONDS = 0.2
_NEVER = float("inf")
_KILLED = 9
_SMALLER = "Start again with smaller patches, tiles or batches."
_AGAIN = "Start again; the details show what it said last."


class WorkerDiedError(UserError):
    """The job ended before its time: out of memory, killed, crashed, or deaf to `stop`.

    Attributes
    ----------
    details
        The traceback, or the last lines that the process printed.

    """

    def __init__(self, text: str, details: str) -> None:
        super().__init__(text)
        self.details = details


class WorkerError(RuntimeError):
    """The job ended with an error that is not the user's.

    Attributes
    ----------
    details
        The traceback, as text.

    """

    def __init__(self, text: str, details: str) -> None:
        super().__init__(text)
        self.details = details
        self.add_note(f"In the job's process:\n{details}")


class WorkerSession(Iterator[Update | Finished[T_co]], Generic[T_co]):
    """A stream of events that answers and watches while it waits.

    Parameters
    ----------
    process
        A process that waits for its job.
    function
        What to call there with `args` and `kwargs`; it returns the `Job`.

    """

    def __init__(
        self, process: Process, function: LazyFunction, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> None:
        self.process, self.grace_seconds, self.stopped_at, self.paused = process, 15.0, _NEVER, False
        self._longest_silence = 0.0
        self._what, autosave = function.title, kwargs.get("autosave")
        self._autosave = Path(autosave) if isinstance(autosave, str | Path) else None
        self._errand: Any = (function, args, kwargs, os.getcwd())  # noqa: PTH109
        self._reading = threading.Lock()
        self._asked = self._closing = self._over = False

    def __next__(self) -> Update | Finished[T_co]:
        with self._reading:
            if self._over:
                raise StopIteration
            try:
                event = self._next_event()
            except KeyboardInterrupt:
                raise  # the caller decides, and may go on
            except BaseException:
                self._finish()
                raise
            if isinstance(event, Finished):
                self._finish()
            return event

    def _next_event(self) -> Update | Finished[T_co]:
        try:
            self._ask()
            parcel = self._listen()
        except (EOFError, OSError):
            raise self._obituary() from None
        self._asked = False
        content = self.process.wire.open(parcel)
        match parcel.kind:
            case "refused":
                raise UserError(content)
            case "failed":
                raise WorkerError(*content)
            case "starved":
                raise self._death("ran out of memory", _SMALLER, content[1])
            case "end":
                raise StopIteration
        event: Update | Finished[T_co] = content
        return event

    def _ask(self) -> None:
        if self._errand is not None:
            self.process.wire.send("run", self._errand)
            self._errand = None
        if not self._asked:
            self.process.wire.send("next")
            self._asked = True

    def _listen(self) -> Message:
        """Wait for the answer, serving planes meanwhile."""
        while True:
            self._wait()
            parcel = self.process.wire.receive()
            if parcel.kind != "plane":
                return parcel
            self._serve(*self.process.wire.open(parcel))

    def _wait(self) -> None:
        began = time.monotonic()
        while not self.process.wire.poll(_POLL_SECONDS):
            # Helpers of a dead child can hold its end of the pipe open, so its end is no proof of life.
            if not self.process.alive and not self.process.wire.poll(0):
                raise EOFError
            began = time.monotonic() if self.paused else began
            # A job whose steps are long may take as long again: ending it by force would lose its work.
            if time.monotonic() - max(began, self.stopped_at) > max(self.grace_seconds, 2 * self._longest_silence):
                self.process.end(0.0)
                raise self._death("did not stop in time and was ended", _AGAIN)
        if self.stopped_at == _NEVER:
            self._longest_silence = max(self._longest_silence, time.monotonic() - began)

    def _serve(self, number: int, key: Any) -> None:
        try:
            array = self.process.lent.arrays[number]
            plane = np.asarray(array if key is ... else array[key])
        except Exception as error:
            text = f"The image cannot be read ({type(error).__name__}: {error}). Check its file, then start again."
            self.process.wire.send("no-plane", text)
        else:
            self.process.wire.send("plane", plane)

    def _obituary(self) -> Exception:
        code = self.process.end(2.0)
        if self._closing:
            return StopIteration()
        return self._death(f"stopped unexpectedly: {_cause(code)}", _SMALLER if code == -_KILLED else _AGAIN)

    def _death(self, what: str, way_out: str, details: str = "") -> WorkerDiedError:
        if self._autosave is not None and self._autosave.is_file():
            way_out = f"The last autosave is at '{self._autosave}'."
        return WorkerDiedError(f"{self._what} {what}. {way_out}", details or self.process.log_tail())

    def close(self, wait_seconds: float) -> None:
        """End the child now; returns when it is gone."""
        self._closing = True
        self.process.tell("close")
        self.process.end(wait_seconds)
        if self._reading.acquire(timeout=1.0):
            self._finish()
            self._reading.release()

    def drop(self) -> None:
        """Nobody looks at the job any more."""
        self._finish()

    def _finish(self) -> None:
        if not self._over:
            self._over, self._errand = True, None
            self.process.release()


def _cause(code: int) -> str:
    if code == -_KILLED:
        return "the process was killed (signal 9), most likely because memory ran out"
    if code < 0:
        return f"the process was ended by signal {-code} ({_signal_name(-code)})"
    return f"the process ended with exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
