"""The worker's side: run one job, send its events, obey the parent, and never outlive it.

Started by `jobs.worker.process` as ``python -m napari_emssl.jobs.worker.main HANDLE FOLDER [PATH]``; not for use
by hand. PATH is searched for modules last.

Two threads: the main one runs the job and sends its events; the other listens to the parent, so that neither a long
step nor a large result delays a command.
"""

import os
import shutil
import signal
import sys
import threading
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from ...cpu_threads import leave_a_core
from ...errors import UserError
from ...resources import is_out_of_memory
from ..events import Control, Job
from .channel import Channel, Connection
from .lazy_arrays import WORKERS_NEED_FILES, PlaneRequest, RemoteArray
from .pickling import Message, Token
from .target import JobRequest

_LAST_SECONDS = 10.0
"""How long a job may take to finish its step once nobody is waiting for it."""
_POLL_SECONDS = 0.2
MOST_EVENTS_UNDER_WAY = 4
"""Events that the parent has not taken yet; after this many the job waits.

A job yields at most ten events a second, and a parent that iterates takes them at once. One that does not (a viewer
that is suspended, a loop that draws for seconds) must not make memory grow: the pipe by itself would hold hundreds of
messages, and behind each `Preview` stands a file of megabytes in the temporary folder. So the job waits for its reader,
as a generator does, and no event is lost.
"""


class Worker:
    """The job of this process and its channel to the parent.

    Parameters
    ----------
    connection
        This end of the pipe.
    folder
        The private folder that both processes share.

    """

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.channel = Channel(connection, folder, "worker", from_token=self._remote_array)
        self._folder = folder
        self._pid, self._parent = os.getpid(), os.getppid()
        self._requests: SimpleQueue[Message | None] = SimpleQueue()
        self._answers: SimpleQueue[Message | None] = SimpleQueue()
        self._asking = threading.Lock()
        self._control = Control()  # takes commands that arrive before there is a job
        self._free = threading.Semaphore(MOST_EVENTS_UNDER_WAY)
        self._gone = threading.Event()

    def main(self) -> None:
        """Do what the parent asks until the job has ended."""
        threading.Thread(target=self.listen, daemon=True).start()
        for request in iter(self._requests.get, None):
            if request.kind == "preload":
                self._preload(self.channel.open(request))
                continue
            self._attempt(request)
            break
        self._gone.wait()  # the parent takes what was sent, then closes its end
        shutil.rmtree(self._folder, ignore_errors=True)

    def _preload(self, modules: tuple[str, ...]) -> None:
        for module in modules:
            with suppress(Exception):  # the job itself will say what is wrong
                import_module(module)

    def _attempt(self, message: Message) -> None:
        try:
            request: JobRequest = self.channel.open(message)
            os.chdir(request.folder)
            self.run(request.function(*request.args, **request.kwargs))
            self._send("end")
        except UserError as error:
            self._send("user-error", str(error))
        except BaseException as error:
            self._send("out-of-memory" if is_out_of_memory(error) else "error", _describe(error))

    def run(self, job: Job[object]) -> None:
        """Send the events of a job, at the pace of the parent."""
        job.control = self._control
        for event in job:
            while not self._gone.is_set() and not self._free.acquire(timeout=_POLL_SECONDS):
                pass
            self._send("event", event)
            del event  # a job that waits, perhaps for hours, does not keep what it has said

    def _send(self, kind: str, content: object = None) -> None:
        """Send a message, or the reason why it cannot be sent; nothing once the parent is gone: the job may still save.

        That the parent is gone is noticed by the thread that listens.
        """
        with suppress(OSError):
            if self._gone.is_set():
                return
            try:
                self.channel.send(kind, content)
            except UserError as error:
                self.channel.send("user-error", str(error))
            except OSError:
                raise
            except Exception as error:
                self.channel.send("error", _describe(error))

    def listen(self) -> None:
        """Obey the parent until it closes its end or is gone; runs in its own thread."""
        try:
            # A parent that was killed is noticed by its number, too: its other children may hold the pipe open.
            while os.getppid() == self._parent:
                if self.channel.poll(1.0) and not self._obey(self.channel.receive()):
                    break
        except (EOFError, OSError):
            pass
        finally:
            self._end()

    def _obey(self, message: Message) -> bool:
        """Do what a message says; return False when it is the last one."""
        match message.kind:
            case "taken":
                self._free.release()
            case "plane" | "plane-error":
                self._answers.put(message)
            case "preload" | "run":
                self._requests.put(message)
            case "stop":
                self._control.stop()
            case "pause":
                self._control.pause()
            case "resume":
                self._control.resume()
            case "show":
                self._control.show(self.channel.open(message))
            case "ask":
                self._control.ask(self.channel.open(message))
        return message.kind != "close"

    def _end(self) -> None:
        """Give the job a little time for its step, then end the process whatever it does."""
        self._gone.set()
        self._answers.put(None)
        self._requests.put(None)
        self._control.stop()
        threading.Event().wait(_LAST_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(1)  # the main thread may hang in a library: nothing else ends it for certain

    def _remote_array(self, token: Token) -> RemoteArray:
        return RemoteArray(lambda key: self._plane(PlaneRequest(token.number, key)), token.shape, token.dtype)

    def _plane(self, request: PlaneRequest) -> NDArray[np.generic]:
        """Ask the parent for a part of a lazy array; one thread at a time, as answers carry no number."""
        if os.getpid() != self._pid:
            raise UserError(WORKERS_NEED_FILES)  # a fork: the pipe is not its own
        with self._asking:
            if not self._gone.is_set():
                self.channel.send("plane", request)
                answer = self._answers.get()
                if answer is not None:
                    return self._opened(answer)
        raise ConnectionAbortedError("Nobody waits for the result any more.")

    def _opened(self, answer: Message) -> NDArray[np.generic]:
        content = self.channel.open(answer)
        if answer.kind == "plane-error":
            raise UserError(content)
        plane: NDArray[np.generic] = content
        return plane


def _describe(error: BaseException) -> tuple[str, str]:
    """Return an error in one line, and its traceback."""
    return f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))


def main() -> None:
    """Entry of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to decide
    if sys.platform != "win32":
        os.nice(5)  # the viewer goes first
    leave_a_core()
    handle, folder, *last = sys.argv[1:]
    sys.path += last
    Worker(Connection(int(handle)), Path(folder)).main()


if __name__ == "__main__":
    main()
