"""Slow work that napari waits for: done in a thread, while the window is still drawn."""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from qtpy.QtWidgets import QApplication

_SECONDS = 0.02
T = TypeVar("T")


def run_blocking(work: Callable[[Callable[[], None]], T], title: str, steps: int = 0) -> T:
    """Return what `work` returns, which is done in a thread; without a window it is done here.

    Until then the window takes no clicks and keys; napari's activity dock shows the progress.

    Parameters
    ----------
    work
        Called with the function it must call after each step.
    title
        What the activity dock says.
    steps
        How many there are; 0 where that is not known.

    """
    app = _application()
    if app is None:
        return work(lambda: None)
    done = [0]

    def tick() -> None:
        done[0] += 1

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, tick)
        _show(app, future, done, title, steps)
    return future.result()


def _show(app: "QApplication", future: Future[T], done: list[int], title: str, steps: int) -> None:
    """Keep the window alive until the future is done."""
    from napari.utils import progress
    from qtpy.QtCore import QEventLoop

    with progress(total=steps, desc=title) as bar:
        while not future.done():
            app.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
            if done[0] > bar.n:
                bar.update(done[0] - bar.n)
            wait([future], _SECONDS)


def _application() -> "QApplication | None":
    """Qt's application, where there is one and this is its thread."""
    if "qtpy" not in sys.modules or current_thread() is not main_thread():
        return None
    from qtpy.QtWidgets import QApplication

    return QApplication.instance()
