"""What is needed next is made ahead, in a thread, while what is there is worked on."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from .. import cpu_threads
from .read_watch import waiting

K = TypeVar("K")
T = TypeVar("T")

_LOOK_SECONDS = 0.1
_END_SECONDS = 10.0
"""One thing is made in less; what takes longer at the end hangs."""
_OVER = object()


def made_ahead(make: Callable[[K], T], keys: Iterable[K], ahead: int, name: str = "reading ahead") -> Iterator[T]:
    """Let a thread make things, in order; it ends when the iterator is closed.

    Parameters
    ----------
    make
        Makes one thing, with one thread of the processor.
    keys
        Of what is to be made.
    ahead
        How many things are kept ready at most.
    name
        Of the thread.

    Yields
    ------
    T
        The things; what making one raises is raised here.

    """
    ready: queue.Queue[object] = queue.Queue(ahead)
    over = threading.Event()
    thread = threading.Thread(target=_fill, args=(make, keys, ready, over), name=name, daemon=True)
    thread.start()
    try:
        while (item := _taken(ready)) is not _OVER:
            if isinstance(item, _Failure):
                raise item.error
            made: T = item  # type: ignore[assignment]
            yield made
    finally:
        over.set()
        thread.join(_END_SECONDS)  # a read that hangs is left to itself: the thread ends with the program


def _taken(ready: "queue.Queue[object]") -> object:
    with waiting():
        return ready.get()


class _Failure:
    """What making a thing raised."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _fill(make: Callable[[K], T], keys: Iterable[K], ready: "queue.Queue[object]", over: threading.Event) -> None:
    """Fill the queue until the keys end; errors are passed on."""
    cpu_threads.use_one()
    for key in keys:
        try:
            item: object = make(key)
        except BaseException as error:
            item = _Failure(error)
        if not _put(item, ready, over) or isinstance(item, _Failure):
            return
    _put(_OVER, ready, over)


def _put(item: object, ready: "queue.Queue[object]", over: threading.Event) -> bool:
    """Wait for room; return whether there was any before it was all over."""
    while not over.is_set():
        try:
            ready.put(item, timeout=_LOOK_SECONDS)
        except queue.Full:
            continue
        return True
    return False
