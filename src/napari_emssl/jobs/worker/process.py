"""A Python process beside this one: started, watched, ended, and its traces removed."""

import atexit
import multiprocessing
import multiprocessing.spawn
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from ...cpu_threads import wait_passively
from ...errors import UserError
from ..allocator import share_one_arena
from .channel import Channel, Connection
from .lazy_arrays import LazyArrayServer

_PREFIX = "napari-emssl-job-"
_LOG = "log.txt"
_PATIENCE_SECONDS = 12.0
"""A little more than a worker allows itself to end once nobody is listening."""


class Process:
    """A started worker: its channel, its private folder and its log.

    The worker inherits one end of a pipe and nothing else; whatever it or its libraries print goes to a log file.

    Raises
    ------
    UserError
        When no Python can be started, or no temporary folder be made.

    """

    def __init__(self) -> None:
        remove_stale_folders()
        self._owner = os.getpid()
        self.folder = _new_folder()
        self.lazy_arrays = LazyArrayServer()
        self.threads: list[threading.Thread] = []
        """What was called later and may not be over yet."""
        ours, theirs = multiprocessing.Pipe()
        self.channel = Channel(ours, self.folder, "parent", to_token=self.lazy_arrays.register)
        try:
            self._popen = _start(theirs, self.folder)
            _RUNNING.add(self)
        except OSError as error:
            self._remove_traces()
            raise UserError(f"The job's process cannot be started ({error}). Restart the program.") from error
        finally:
            theirs.close()

    @property
    def is_mine(self) -> bool:
        """False in a fork of the process that started it."""
        return os.getpid() == self._owner

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._popen.poll() is None

    def wait(self, seconds: float) -> int | None:
        """Wait for the end; return the exit code (negative: a signal), or None when it still runs."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def terminate(self, wait_seconds: float) -> int:
        """Wait so long for the end, then ask for it, then force it; return the exit code."""
        seconds = wait_seconds
        for number in (None, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            if number is not None:
                self._signal(number)
            code = self.wait(seconds)
            if code is not None:
                return code
            seconds = 2.0
        self._popen.kill()
        return self._popen.wait()

    def _signal(self, number: int) -> None:
        """Send a signal to the process and to its own helpers, which share its process group."""
        if not self.alive:
            return
        if sys.platform == "win32":
            self._popen.terminate()
            return
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            self._popen.send_signal(number)

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines that the process printed."""
        try:
            text = (self.folder / _LOG).read_bytes()[-65536:].decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def send(self, kind: str, content: object = None) -> None:
        """Send a message; that the process is gone is noticed by whoever listens to it."""
        with suppress(OSError):
            self.channel.send(kind, content)

    def release(self) -> None:
        """Let the process end soon, on its own or by force, and remove what it left behind; returns at once."""
        self.lazy_arrays.clear()
        if not self.is_mine:
            return
        self.send("close")
        self.call_later(self.clear, _PATIENCE_SECONDS)

    def call_later(self, work: Callable[[float], None], wait_seconds: float) -> None:
        """Call `work` in a thread, which is over before the program is; returns at once."""
        thread = threading.Thread(target=work, args=(wait_seconds,), daemon=True)
        with suppress(RuntimeError):  # no thread starts while the interpreter ends: `end_all` comes next
            thread.start()
            self.threads.append(thread)

    def clear(self, wait_seconds: float) -> None:
        """Wait so long for the end, then force it, and remove all traces."""
        self.terminate(wait_seconds)
        self._remove_traces()
        _RUNNING.discard(self)

    def _remove_traces(self) -> None:
        self.channel.close()
        shutil.rmtree(self.folder, ignore_errors=True)


_RUNNING: set[Process] = set()


@atexit.register
def end_all() -> None:
    """End every process that is left; all are asked before any is waited for."""
    mine = [process for process in _RUNNING if process.is_mine]
    for process in mine:
        process.send("close")
    for process in mine:
        process.clear(1.0)
    for thread in [thread for process in mine for thread in process.threads]:
        thread.join(1.0)


def _start(theirs: Connection, folder: Path) -> "subprocess.Popen[bytes]":
    handle = theirs.fileno()
    options: dict[str, Any] = {}  # keywords of `Popen` that only one of the platforms knows
    if sys.platform == "win32":
        os.set_handle_inheritable(handle, True)
        options["startupinfo"] = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})
        options["creationflags"] = subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    else:
        # A group of its own: Ctrl-C in the terminal is for the parent, and its helpers can be ended with it.
        options.update(pass_fds=[handle], process_group=0)
    command = [find_python(), "-P", "-u", "-X", "faulthandler", "-m", "napari_emssl.jobs.worker.main"]
    here, package = Path.cwd(), Path(__file__).parents[3]
    entries = list(dict.fromkeys(Path(entry).absolute() for entry in sys.path))
    search = os.pathsep.join(str(entry) for entry in entries if entry != here or entry == package)
    # A module of the user may lie in the current folder, but no file there takes the place of an installed one.
    last = [str(here)] if here in entries else []
    environment = {**os.environ, "PYTHONPATH": search}
    wait_passively(environment)
    share_one_arena(environment)
    with (folder / _LOG).open("wb") as log:
        return subprocess.Popen(
            [*command, str(handle), str(folder), *last],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            **options,
        )


def find_python() -> str:
    """Return the interpreter to start; in a bundle, where the program is not Python, the one it ships.

    Raises
    ------
    UserError
        When there is none.

    """
    named = multiprocessing.spawn.get_executable() or ""
    program = Path(os.fsdecode(named))
    if program.name.lower() == "pythonw.exe" and program.with_name("python.exe").is_file():
        return str(program.with_name("python.exe"))
    if program.is_file() and not getattr(sys, "frozen", False):
        return str(program)
    root = Path(sys.exec_prefix)
    for place in (root / "python.exe", root / "bin" / "python3", root / "bin" / "python"):
        if place.is_file():
            return str(place)
    raise UserError(
        "This program does not come with a Python that could run a job. Install napari-emssl with pip or conda."
    )


def _new_folder() -> Path:
    """Make a private folder whose name says which process owns it."""
    try:
        return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{_node()}-{os.getpid()}-"))
    except OSError as error:
        raise UserError(
            f"No folder can be made in '{tempfile.gettempdir()}' ({error.strerror}). Set TMPDIR to another folder."
        ) from error


def remove_stale_folders() -> None:
    """Remove the folders of processes of this machine that are gone."""
    pattern = re.compile(re.escape(f"{_PREFIX}{_node()}-") + r"(\d+)-")
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = pattern.match(folder.name)
        if owner and not psutil.pid_exists(int(owner[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _node() -> str:
    return re.sub(r"\W", "_", platform.node())
