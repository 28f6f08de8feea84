"""The child's side: run one job, send its events when asked, obey the parent, and never outlive it.

Started by `jobs.worker.process` as ``python -m napari_emssl.jobs.worker.main HANDLE FOLDER``; not for use by hand.

Three threads: the main one runs the job; one listens to the parent; one sends events. The parent asks for each
event, so that at most one is under way; what waits in between is thinned out by `EventQueue`.
"""

import os
import shutil
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..events import Job, Preview, Progress
from .channel import Channel, Connection, Token
from .pickling import Message

_LAST_SECONDS = 10.0
"""How long a job may take to finish its step once nobody waits for it any more."""
_THIN, _FULL = 16, 256
"""Events that may wait for the parent before they are thinned out, and before the job has to wait."""

QueuedMessage = tuple[str, Any]


class EventQueue:
    """Messages that wait to be asked for.

    When many wait, the newest `Preview` takes the place of older ones, and so does `Progress` unless they have metrics.
    """

    def __init__(self) -> None:
        self._waiting: deque[QueuedMessage] = deque()
        self._changed = threading.Condition()
        self._asked = self._abandoned = False

    def put(self, kind: str, content: Any) -> None:
        """Add a message; blocks while too many wait that must not be lost."""
        with self._changed:
            self._thin_out(content)
            self._changed.wait_for(lambda: len(self._waiting) < _FULL or self._abandoned)
            self._waiting.append((kind, content))
            self._changed.notify_all()

    def _thin_out(self, new: Any) -> None:
        if len(self._waiting) >= _THIN and isinstance(new, Preview | Progress):
            kept = [message for message in self._waiting if not _replaces(new, message[1])]
            self._waiting = deque(kept)

    def ask(self) -> None:
        """Let one message go."""
        with self._changed:
            self._asked = True
            self._changed.notify_all()

    def take(self) -> QueuedMessage:
        """Wait until a message is there and asked for."""
        with self._changed:
            self._changed.wait_for(lambda: self._asked and bool(self._waiting))
            self._asked = False
            message = self._waiting.popleft()
            self._changed.notify_all()
            return message

    def abandon(self) -> None:
        """Nobody will ask any more: never block again."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()


def _replaces(new: Preview | Progress, old: Any) -> bool:
    return type(old) is type(new) and not (isinstance(old, Progress) and old.metrics)


class RemoteArray:
    """Stands for an array in the parent; ``array[key]`` is computed there and comes as a numpy array.

    Raises
    ------
    UserError
        When the parent cannot read the array.
    ConnectionAbortedError
        When the parent has ended the job.

    """

    def __init__(self, ask: Callable[[Any], NDArray[Any]], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._ask = ask
        self.shape, self.dtype = shape, dtype
        self.ndim = len(shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return self._ask(key)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)

    def __reduce__(self) -> Any:
        raise UserError(_ONLY_HERE)


_ONLY_HERE = (
    "Images that the viewer serves plane by plane cannot be read by extra processes. Set workers to 0, "
    "or save the image to a file and start from there."
)


class Child:
    """The job of this process and its conversation with the parent."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.wire = Channel(connection, folder, "child", borrow=self._borrow)
        self._folder = folder
        self._pid, self._parent = os.getpid(), os.getppid()
        self._errands: SimpleQueue[Message | None] = SimpleQueue()
        self._answers: SimpleQueue[Message | None] = SimpleQueue()
        self._asking, self._commanding = threading.Lock(), threading.Lock()
        self._outbox = EventQueue()
        self._job: Job[object] | None = None
        self._early: list[tuple[str, tuple[Any, ...]]] = []
        self._gone = threading.Event()

    def main(self) -> None:
        """Do what the parent asks until the job has ended."""
        for task in (self._listen, self._deliver):
            threading.Thread(target=task, daemon=True).start()
        for errand in iter(self._errands.get, None):
            if errand.kind == "preload":
                self._preload(self.wire.open(errand))
                continue
            self._attempt(errand)
            break
        self._gone.wait()  # the parent takes what was sent, then lets go
        shutil.rmtree(self._folder, ignore_errors=True)

    def _preload(self, modules: tuple[str, ...]) -> None:
        for module in modules:
            with suppress(Exception):  # the job itself will tell
                import_module(module)

    def _attempt(self, errand: Message) -> None:
        try:
            function, arguments, named, folder = self.wire.open(errand)
            os.chdir(folder)
            self._run(function(*arguments, **named))
            self._outbox.put("end", None)
        except UserError as error:
            self._outbox.put("refused", str(error))
        except BaseException as error:
            self._outbox.put("starved" if _is_starvation(error) else "failed", _describe(error))

    def _run(self, job: Job[object]) -> None:
        with self._commanding:
            self._job = job
            for name, arguments in self._early:
                getattr(job, name)(*arguments)
        for event in job:
            self._outbox.put("event", event)

    def _command(self, name: str, *arguments: Any) -> None:
        with self._commanding:
            if self._job is None:
                self._early.append((name, arguments))
            else:
                getattr(self._job, name)(*arguments)

    def _deliver(self) -> None:
        """Send what is asked for; runs in its own thread, so that a large result never delays a command."""
        while True:
            kind, content = self._outbox.take()
            try:
                self._send(kind, content)
            except OSError:
                return

    def _send(self, kind: str, content: Any) -> None:
        try:
            self.wire.send(kind, content)
        except UserError as error:
            self.wire.send("refused", str(error))
        except OSError:
            raise
        except Exception as error:
            self.wire.send("failed", _describe(error))

    def _listen(self) -> None:
        """Obey the parent until it lets go or is gone; runs in its own thread."""
        try:
            while os.getppid() == self._parent:
                if self.wire.poll(1.0) and not self._obey(self.wire.receive()):
                    break
        except (EOFError, OSError):
            pass
        finally:
            self._leave()

    def _obey(self, parcel: Message) -> bool:
        """Do what a message says; return False when it is the last one."""
        match parcel.kind:
            case "next":
                self._outbox.ask()
            case "plane" | "no-plane":
                self._answers.put(parcel)
            case "preload" | "run":
                self._errands.put(parcel)
            case "stop" | "pause" | "resume":
                self._command(parcel.kind)
            case "show" | "ask":
                self._command(parcel.kind, self.wire.open(parcel))
        return parcel.kind != "close"

    def _leave(self) -> None:
        """End: the job gets a little time for its step, the process does not wait for more than that."""
        self._gone.set()
        self._outbox.abandon()
        self._answers.put(None)
        self._errands.put(None)
        self._command("stop")
        threading.Event().wait(_LAST_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(1)

    def _borrow(self, token: Token) -> RemoteArray:
        number, shape, dtype = token
        return RemoteArray(lambda key: self._ask_for_plane(number, key), shape, dtype)

    def _ask_for_plane(self, number: int, key: Any) -> NDArray[Any]:
        if os.getpid() != self._pid:
            raise UserError(_ONLY_HERE)
        with self._asking:
            if not self._gone.is_set():
                self.wire.send("plane", (number, key))
                answer = self._answers.get()
                if answer is not None:
                    return self._unwrap(answer)
        raise ConnectionAbortedError("Nobody waits for the result any more.")

    def _unwrap(self, answer: Message) -> NDArray[Any]:
        content = self.wire.open(answer)
        if answer.kind == "no-plane":
            raise UserError(content)
        plane: NDArray[Any] = content
        return plane


def _is_starvation(error: BaseException) -> bool:
    """Whether memory ran out; that of torch is known by its name, as torch may not be imported here."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def _describe(error: BaseException) -> tuple[str, str]:
    """Return a one-line account of an error, and its traceback."""
    return f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))


def main() -> None:
    """Entry of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to decide
    if sys.platform != "win32":
        os.nice(5)  # the viewer goes first
    Child(Connection(int(sys.argv[1])), Path(sys.argv[2])).main()


if __name__ == "__main__":
    main()
