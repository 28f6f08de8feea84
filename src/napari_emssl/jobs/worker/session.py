"""The parent's side of one job in another process: draining its events, serving planes, noticing its death."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, Self

from ...errors import UserError
from ..events import Command, Control, Finished, T_co, Update
from .lazy_arrays import PlaneRequest
from .pickling import Message
from .process import Process
from .target import JobRequest

_POLL_SECONDS = 0.2
_CLOSE_SECONDS = 2.0
_NEVER = float("inf")
_KILLED = 9
_SMALLER = "Start again with smaller patches, tiles or batches."
_AGAIN = "Start again; the details show its last output."


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
    """The events of a job in another process; answers that process and watches it while it waits for them.

    Parameters
    ----------
    process
        A process that waits for its job.
    request
        What to run there.

    """

    def __init__(self, process: Process, request: JobRequest) -> None:
        self.process, self.grace_seconds = process, 15.0
        self._title, autosave = request.function.title, request.kwargs.get("autosave")
        self._autosave = Path(autosave) if isinstance(autosave, str | Path) else None
        self._request: JobRequest | None = request
        self._control = Control()
        self._stopped_at, self._longest_silence = _NEVER, 0.0
        self._reading = threading.Lock()
        self._closing = self._over = False

    def under(self, control: Control) -> Self:
        """Take commands from this control; what was asked of it before reaches the process before the job does."""
        self._control = control
        return self

    def __next__(self) -> Update | Finished[T_co]:
        with self._reading:
            if self._over:
                raise StopIteration
            try:
                event = self._next_event()
            except KeyboardInterrupt:
                raise  # the caller decides, and may continue
            except BaseException:
                self.release()
                raise
            if isinstance(event, Finished):
                self.release()
            return event

    def _next_event(self) -> Update | Finished[T_co]:
        try:
            self._start()
            message = self._listen()
        except (EOFError, OSError):
            raise self._death_error() from None
        content: Any = self.process.channel.open(message)  # what arrives is as the other process says
        match message.kind:
            case "user-error":
                raise UserError(content)
            case "error":
                raise WorkerError(*content)
            case "out-of-memory":
                raise self._died("ran out of memory", _SMALLER, content[1])
            case "end":
                raise StopIteration
        self.process.send("taken")  # the job may send another one; see `MOST_EVENTS_UNDER_WAY`
        event: Update | Finished[T_co] = content
        return event

    def _start(self) -> None:
        """Send the commands given so far, then the request: the job finds them when it looks for the first time."""
        if self._request is not None:
            self._control.forward(self._command)
            self.process.channel.send("run", self._request)
            self._request = None

    def _command(self, command: Command, content: object) -> None:
        """Pass a command on; called in the thread that gives it."""
        if command in ("stop", "close"):
            self._stopped_at = min(self._stopped_at, time.monotonic())
        if command == "close":
            # The thread may be that of the viewer, which must not wait for the process to end.
            self.process.call_later(self.close, _CLOSE_SECONDS)
        else:
            self.process.send(command, content)

    def _listen(self) -> Message:
        """Wait for the next message that is not about a plane; serve planes meanwhile."""
        while True:
            self._wait()
            message = self.process.channel.receive()
            if message.kind != "plane":
                return message
            self._serve(self.process.channel.open(message))

    def _wait(self) -> None:
        """Wait for a message.

        Raises
        ------
        EOFError
            When the process has died.
        WorkerDiedError
            When it did not stop in time.

        """
        began = time.monotonic()
        while not self.process.channel.poll(_POLL_SECONDS):
            # Helpers of a dead process can hold its end of the pipe open, so an open pipe is no proof of life.
            if not self.process.alive and not self.process.channel.poll(0):
                raise EOFError
            began = time.monotonic() if self._control.paused else began
            # A job whose steps are long may take as long again: ending it by force would lose its work.
            if time.monotonic() - max(began, self._stopped_at) > max(self.grace_seconds, 2 * self._longest_silence):
                self.process.terminate(0.0)
                raise self._died("did not stop in time and was terminated", _AGAIN)
        if self._stopped_at == _NEVER:
            self._longest_silence = max(self._longest_silence, time.monotonic() - began)

    def _serve(self, request: PlaneRequest) -> None:
        try:
            plane = self.process.lazy_arrays.read(request)
        except UserError as error:
            self.process.channel.send("plane-error", str(error))
        else:
            self.process.channel.send("plane", plane)

    def _death_error(self) -> Exception:
        """Return the error that says why the process is gone; the end of the iteration where it was closed."""
        code = self.process.terminate(2.0)
        if self._closing:
            return StopIteration()
        return self._died(f"stopped unexpectedly: {_cause(code)}", _SMALLER if code == -_KILLED else _AGAIN)

    def _died(self, what: str, way_out: str, details: str = "") -> WorkerDiedError:
        if self._autosave is not None and self._autosave.is_file():
            way_out = f"The last autosave is at '{self._autosave}'."
        return WorkerDiedError(f"{self._title} {what}. {way_out}", details or self.process.log_tail())

    def close(self, wait_seconds: float) -> None:
        """End the process, and with it an iteration under way; returns when it is gone."""
        self._closing = True
        self.process.send("close")
        self.process.terminate(wait_seconds)
        if self._reading.acquire(timeout=1.0):
            self.release()
            self._reading.release()

    def release(self) -> None:
        """Release the process, which is no longer needed. Returns at once."""
        if not self._over:
            self._over, self._request = True, None
            self._control.forward(None)
            self.process.release()


def _cause(code: int) -> str:
    if code == -_KILLED:
        return "the process was killed (signal 9), most likely because memory ran out"
    if code < 0:
        return f"the process was ended by signal {-code} ({_signal_name(-code)})"
    return f"the process ended with exit code {code if code < 256 else hex(code)}"  # Windows: 0xc0000005, a crash


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
