"""Threads in the background: started here, heard in the GUI thread, and over when PyQt takes its leave.

A script may end while its viewer is open and a job runs. PyQt then walks through the table of all its objects and
destroys them; what leaves the table meanwhile, because a thread drops it or because a window takes its children along,
makes it crash. (napari alone does so now and then.) So threads of gui are started here, what keeps one busy and the
windows of docks are named here, and all of it is closed in an orderly way before.
"""

import atexit
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import ParamSpec, Protocol
from weakref import WeakSet

from qtpy.QtCore import QCoreApplication, QEvent, QObject, Qt, Signal

from ...jobs.worker.process import end_all

_SECONDS = 4.0
"""For all threads together: a file that cannot be read must not keep the program open."""
_P = ParamSpec("_P")


class Closable(Protocol):
    """Something that is open until it is closed."""

    def close(self) -> object:
        """Close it; returns at once, and may be called twice."""


_OPEN: WeakSet[Closable] = WeakSet()
_THREADS: WeakSet[threading.Thread] = WeakSet()


def start_thread(work: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> threading.Thread:
    """Start a thread that calls `work`; the end of the program waits for it, but not forever.

    Parameters
    ----------
    work
        What the thread does. It must not be the last to hold an object of Qt.
    *args, **kwargs
        For `work`.

    """
    thread = threading.Thread(target=work, args=args, kwargs=kwargs, name="napari-emssl", daemon=True)
    _THREADS.add(thread)
    thread.start()
    return thread


class _Courier(QObject):
    """Carries calls from threads to the GUI thread; lives as long as the program, as threads outlive docks."""

    sent = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.sent.connect(self._call, Qt.ConnectionType.QueuedConnection)

    def _call(self, call: Callable[[], None]) -> None:
        call()


@cache
def _courier() -> _Courier:
    return _Courier()


def listen_to_threads() -> None:
    """Get ready for calls from threads; called in the GUI thread by whoever starts one that makes them."""
    _courier()


def call_in_gui_thread(call: Callable[[], None]) -> None:
    """Have something called in the GUI thread soon; from any thread, after `listen_to_threads`."""
    with suppress(RuntimeError):  # the program ends, and with it the courier
        _courier().sent.emit(call)


def close_at_end(owner: Closable) -> None:
    """Close this when the program ends, if it is still there then."""
    _OPEN.add(owner)


@atexit.register
def _end() -> None:
    """Runs before the exit handler of PyQt, which was imported earlier."""
    for owner in tuple(_OPEN):
        with suppress(RuntimeError):  # Qt has destroyed it already
            owner.close()
    end_all()  # whoever waits for a worker process notices its end
    until = time.monotonic() + _SECONDS
    for thread in tuple(_THREADS):
        thread.join(max(until - time.monotonic(), 0.0))
    if QCoreApplication.instance() is not None:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
