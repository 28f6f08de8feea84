"""Looking at pairs of layers in a thread: the newest question of each row wins, older answers are dropped."""

import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count

from qtpy.QtCore import QObject, Signal

from ....data.datasets.pair_check import PairCheck
from .request import Pair


class PairChecker(QObject):
    """Answers one question at a time.

    Signals
    -------
    checked(int, PairCheck)
        The number that `ask` returned, and what is known of that pair.

    """

    checked = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._numbers = count()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pairs")
        self._wanted: set[int] = set()
        weakref.finalize(self, _close, self._thread, self._wanted).atexit = False

    def ask(self, pair: Pair) -> int:
        """Look at a pair soon, and return the number of the question."""
        number = next(self._numbers)
        self._wanted.add(number)
        self._thread.submit(self._answer, number, pair)
        return number

    def drop(self, number: int) -> None:
        """Answer a question no more."""
        self._wanted.discard(number)

    def _answer(self, number: int, pair: Pair) -> None:
        """Runs in the thread; the signal is delivered in the thread of its receiver."""
        if number not in self._wanted:
            return
        try:
            check = pair.check()
        except Exception as error:  # whatever is wrong with a lazy layer is said, and the row stays usable
            check = PairCheck(trouble=f"The pair cannot be read: {error}")
        if number in self._wanted:
            self._wanted.discard(number)
            with suppress(RuntimeError):  # the dock was closed meanwhile
                self.checked.emit(number, check)


def _close(thread: ThreadPoolExecutor, wanted: set[int]) -> None:
    """Answer nothing any more."""
    wanted.clear()
    thread.shutdown(wait=False, cancel_futures=True)
