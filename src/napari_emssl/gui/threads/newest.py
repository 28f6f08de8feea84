"""Slow questions, answered in a thread: of several that wait only the newest is worked on."""

import threading
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic, TypeVar

from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer, Signal

from .background import call_in_gui_thread, close_at_end, listen_to_threads, start_thread

Q = TypeVar("Q")
A = TypeVar("A")


class NewestWins(QObject, Generic[Q, A]):
    """Answers one question at a time; a newer one takes the place of the one before.

    Everything is called in the GUI thread, except `work`. Once a question was asked, no answer to an older one comes.

    Parameters
    ----------
    work
        Yields the answers to a question, as many as it likes; called in a thread, which is started when there is
        something to do. When a newer question has come, it is closed at its next answer. It must not be a method of
        an object of Qt, as the thread may be the last to hold it.
    calm_ms
        How long `ask_when_calm` waits.
    parent
        Owner in the sense of Qt.

    Signals
    -------
    answered(object)
        An answer to the newest question.
    failed(object)
        The exception that working on the newest question ended with.
    busy_changed(bool)
        Whether an answer is still to come.

    Raises
    ------
    TypeError
        When `work` is a method of an object of Qt.

    """

    answered = Signal(object)
    failed = Signal(object)
    busy_changed = Signal(bool)

    def __init__(self, work: Callable[[Q], Iterable[A]], calm_ms: int = 0, parent: QObject | None = None) -> None:
        if isinstance(getattr(work, "__self__", None), QObject):
            raise TypeError("A thread must not hold an object of Qt: take a function for `work`.")
        super().__init__(parent)
        listen_to_threads()
        self.calm_ms = calm_ms
        self._busy = self._closed = False
        self._make: Callable[[], Q | None] = _no_question
        self._thread = _Thread(work, self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_calm)
        weakref.finalize(self, self._thread.drop).atexit = False
        close_at_end(self)

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come, or a question waits for calm."""
        return self._busy

    def ask(self, question: Q) -> None:
        """Have a question answered instead of all that were asked before."""
        if self._closed:
            return
        self._timer.stop()
        self._thread.put(question)
        self._set_busy(True)

    def ask_when_calm(self, make_question: Callable[[], Q | None]) -> None:
        """Ask what `make_question` returns when this was not called again for `calm_ms`.

        It is called in the GUI thread; when it returns None nothing is asked, and what was asked before stays.
        """
        if self._closed:
            return
        self._make = make_question
        self._timer.start(self.calm_ms)
        self._set_busy(True)

    def drop(self) -> None:
        """Answer nothing of what was asked so far."""
        if self._closed:
            return
        self._timer.stop()
        self._make = _no_question
        self._thread.drop()
        self._on_idle()

    def close(self) -> None:
        """Answer nothing any more, whatever is asked; no signal comes after this. May be called twice."""
        self._closed, self._busy = True, False
        self._make = _no_question
        self._thread.drop()
        if isalive(self):
            self._timer.stop()

    def _on_calm(self) -> None:
        make, self._make = self._make, _no_question
        question = make()
        if question is None:
            self._on_idle()
        else:
            self.ask(question)

    def _on_idle(self) -> None:
        if not self._timer.isActive() and not self._thread.working:
            self._set_busy(False)

    def _set_busy(self, busy: bool) -> None:
        if busy != self._busy and not self._closed:
            self._busy = busy
            self.busy_changed.emit(busy)


class _Thread(Generic[Q, A]):
    """What the thread knows. It holds no object of Qt: its owner is a weak reference."""

    def __init__(self, work: Callable[[Q], Iterable[A]], owner: NewestWins[Q, A]) -> None:
        self._work, self._owner = work, weakref.ref(owner)
        self._lock = threading.Lock()
        self._waiting: list[Q] = []
        self._turn = 0
        """Number of the newest question, or of the last `drop`: only its answers are reported."""
        self.working = False

    def put(self, question: Q) -> None:
        """Work on a question next; a thread is started unless there is one."""
        with self._lock:
            self._turn += 1
            self._waiting = [question]
            if self.working:
                return
            self.working = True
        start_thread(self._work_along)

    def drop(self) -> None:
        """Work on nothing that is there now."""
        with self._lock:
            self._turn += 1
            self._waiting = []

    def _work_along(self) -> None:
        while True:
            with self._lock:
                turn = self._turn
                if not self._waiting:
                    # decided under the lock: a question put from now on starts another thread
                    self.working = False
                    break
                question = self._waiting.pop()
            self._answer(turn, question)
        self._send(turn, lambda owner: owner._on_idle())

    def _answer(self, turn: int, question: Q) -> None:
        try:
            for answer in self._work(question):
                if turn != self._turn:
                    return  # the generator is closed, as nothing refers to it any more
                self._send(turn, partial(_tell_answer, answer))
        except Exception as error:  # whatever it is, the owner says it, and the next question finds a thread
            self._send(turn, partial(_tell_failure, error))

    def _send(self, turn: int, tell: Callable[[NewestWins[Q, A]], None]) -> None:
        call_in_gui_thread(partial(self._deliver, turn, tell))

    def _deliver(self, turn: int, tell: Callable[[NewestWins[Q, A]], None]) -> None:
        """Runs in the GUI thread, where turns change: what is newest now stays so until this returns."""
        owner = self._owner()
        if owner is None or not isalive(owner):
            self.drop()
        elif turn == self._turn:
            tell(owner)


def _tell_answer(answer: A, owner: NewestWins[Q, A]) -> None:
    owner.answered.emit(answer)


def _tell_failure(error: Exception, owner: NewestWins[Q, A]) -> None:
    owner.failed.emit(error)


def _no_question() -> None:
    return None
