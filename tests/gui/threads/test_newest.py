"""The newest question wins: what is worked on, what is told, when nothing more comes; whatever happens to its owner."""

import gc
import subprocess
import sys
import threading
import time
import weakref

import pytest
from qtpy.compat import isalive
from qtpy.QtCore import QCoreApplication, QEvent, QObject

from napari_emssl.gui.threads.newest import NewestWins

pytestmark = pytest.mark.gui


class Work:
    """Answers a word letter by letter; each letter waits for permission."""

    def __init__(self):
        self.go, self.began, self.letters, self.threads = threading.Event(), [], [], set()
        self.closed = []
        self.go.set()

    def __call__(self, word):
        self.began.append(word)
        self.threads.add(threading.current_thread())
        try:
            for letter in word:
                self.go.wait(300)
                self.letters.append(letter)
                if letter == "!":
                    raise ValueError(word)
                yield letter
        finally:
            self.closed.append(word)


class Told:
    """Remembers what was told, and that it was told in the GUI thread."""

    def __init__(self, newest):
        self.answers, self.errors, self.busy = [], [], []
        for signal, told in (
            (newest.answered, self.answers),
            (newest.failed, self.errors),
            (newest.busy_changed, self.busy),
        ):
            signal.connect(lambda value, told=told: self._add(told, value))

    def _add(self, told, value):
        assert threading.current_thread() is threading.main_thread()
        told.append(value)


@pytest.fixture
def work():
    made = Work()
    yield made
    made.go.set()


@pytest.fixture
def newest(qapp, work):
    made = NewestWins[str, str](work, calm_ms=30)
    yield made
    made.close()


@pytest.fixture
def told(newest):
    return Told(newest)


def settle(qtbot, work):
    """Wait until the threads have ended and everything they told has arrived."""
    qtbot.waitUntil(lambda: not any(thread.is_alive() for thread in work.threads))
    QCoreApplication.processEvents()


def test_answers_come_in_order_in_the_thread_of_the_window(qtbot, newest, work, told):
    newest.ask("abc")
    assert newest.busy
    assert told.answers == [], "nothing comes while `ask` is called"
    qtbot.waitUntil(lambda: not newest.busy)
    assert told.answers == list("abc")
    assert told.busy == [True, False]
    assert threading.main_thread() not in work.threads
    settle(qtbot, work)


def test_of_several_that_wait_only_the_newest_is_worked_on(qtbot, newest, work, told):
    work.go.clear()
    newest.ask("abc")
    qtbot.waitUntil(lambda: bool(work.began))
    for word in ("de", "fg", "hi"):
        newest.ask(word)
    work.go.set()
    qtbot.waitUntil(lambda: not newest.busy)
    assert work.began == ["abc", "hi"]
    assert work.letters == list("ahi"), "the first question is given up at its next answer"
    assert work.closed == ["abc", "hi"]
    assert told.answers == list("hi")
    assert told.busy == [True, False]


def test_an_answer_on_its_way_does_not_come_after_a_newer_question(qtbot, newest, work, told):
    newest.ask("a")
    end = time.monotonic() + 300
    while not work.closed and time.monotonic() < end:
        time.sleep(0.001)  # the answer is sent, but no event is handled
    newest.ask("b")
    qtbot.waitUntil(lambda: not newest.busy)
    assert told.answers == ["b"]


def test_at_most_one_is_under_way(qtbot, qapp):
    at_work, most = [], []

    def work(number):
        at_work.append(number)
        most.append(len(at_work))
        time.sleep(0.001)
        at_work.remove(number)
        yield number

    newest = NewestWins(work)
    told = Told(newest)
    for number in range(300):
        newest.ask(number)
        if number % 3 == 0:
            QCoreApplication.processEvents()
        if number % 50 == 0:
            time.sleep(0.005)
    qtbot.waitUntil(lambda: not newest.busy)
    assert max(most) == 1
    assert told.answers == sorted(told.answers)
    assert told.answers[-1] == 299


def test_a_question_asked_by_an_answer_is_answered(qtbot, newest, told):
    newest.answered.connect(lambda letter: newest.ask("zy") if letter == "b" else None)
    newest.ask("abc")
    qtbot.waitUntil(lambda: not newest.busy)
    assert told.answers == list("abzy")


def test_an_exception_is_told_and_the_next_question_is_answered(qtbot, newest, told):
    newest.ask("a!b")
    qtbot.waitUntil(lambda: not newest.busy)
    assert told.answers == ["a"]
    assert [str(error) for error in told.errors] == ["a!b"]
    assert isinstance(told.errors[0], ValueError)
    newest.ask("c")
    qtbot.waitUntil(lambda: not newest.busy)
    assert told.answers == ["a", "c"]


def test_an_exception_before_the_first_answer_is_told_too(qtbot, qapp):
    def work(question):
        raise OSError(question)

    newest = NewestWins(work)
    told = Told(newest)
    newest.ask("gone")
    qtbot.waitUntil(lambda: not newest.busy)
    assert [str(error) for error in told.errors] == ["gone"]


def test_the_exception_of_an_older_question_is_not_told(qtbot, newest, work, told):
    work.go.clear()
    newest.ask("!")
    qtbot.waitUntil(lambda: bool(work.began))
    newest.ask("b")
    work.go.set()
    qtbot.waitUntil(lambda: not newest.busy)
    assert (told.answers, told.errors) == (["b"], [])


def test_it_waits_for_calm_and_makes_the_question_then(qtbot, qapp, work):
    newest = NewestWins[str, str](work, calm_ms=2000)
    told = Told(newest)
    state = ["old"]
    for _ in range(5):
        newest.ask_when_calm(lambda: state[0])
        qapp.processEvents()
    assert newest.busy
    assert work.began == []
    state[0] = "new"
    qtbot.waitUntil(lambda: not newest.busy)
    assert work.began == ["new"]
    assert told.busy == [True, False]
    newest.close()


def test_no_question_after_all_leaves_the_one_before(qtbot, newest, work, told):
    work.go.clear()
    newest.ask("ab")
    newest.ask_when_calm(lambda: None)
    qtbot.wait(60)
    assert newest.busy
    work.go.set()
    qtbot.waitUntil(lambda: not newest.busy)
    assert told.answers == ["a", "b"]
    newest.ask_when_calm(lambda: None)
    qtbot.waitUntil(lambda: not newest.busy)
    assert told.busy == [True, False, True, False]


def test_a_question_asked_at_once_takes_the_place_of_one_that_waits_for_calm(qtbot, newest, work):
    newest.ask_when_calm(lambda: "late")
    newest.ask("now")
    qtbot.waitUntil(lambda: not newest.busy)
    qtbot.wait(60)
    assert work.began == ["now"]


def test_dropping_answers_nothing_of_what_was_asked(qtbot, newest, work, told):
    work.go.clear()
    newest.ask("abc")
    newest.ask_when_calm(lambda: "late")
    qtbot.waitUntil(lambda: bool(work.began))
    newest.drop()
    assert newest.busy, "the step at hand is still worked on"
    work.go.set()
    qtbot.waitUntil(lambda: not newest.busy)
    assert (work.began, told.answers) == (["abc"], [])
    newest.ask_when_calm(lambda: "late")
    newest.drop()
    assert not newest.busy
    newest.ask("d")
    qtbot.waitUntil(lambda: not newest.busy)
    assert told.answers == ["d"]


def test_nothing_comes_after_it_was_closed(qtbot, newest, work, told):
    work.go.clear()
    newest.ask("abc")
    newest.ask_when_calm(lambda: "late")
    qtbot.waitUntil(lambda: bool(work.began))
    before = list(told.busy)
    newest.close()
    newest.close()
    assert not newest.busy
    newest.ask("d")
    newest.ask_when_calm(lambda: "e")
    newest.drop()
    work.go.set()
    settle(qtbot, work)
    qtbot.wait(60)
    assert work.began == ["abc"]
    assert work.letters == ["a"], "the thread ends with the step at hand"
    assert (told.answers, told.errors, told.busy) == ([], [], before)


def test_closed_by_an_answer(qtbot, newest, work, told):
    newest.answered.connect(lambda letter: newest.close())
    newest.ask("abc")
    qtbot.waitUntil(lambda: bool(told.answers))
    settle(qtbot, work)
    assert told.answers == ["a"]


class Owner(QObject):
    """Stands for a dock."""

    def __init__(self, work):
        super().__init__()
        self.newest = NewestWins(work, parent=self)
        self.newest.answered.connect(self.take)
        self.taken = []

    def take(self, letter):
        self.taken.append(letter)


@pytest.mark.parametrize("permission", ["before", "after"])
def test_an_owner_that_is_collected_while_it_works(qtbot, qapp, work, permission):
    work.go.clear()
    owner = Owner(work)
    owner.newest.ask("abc")
    qtbot.waitUntil(lambda: bool(work.began))
    if permission == "before":  # answers are on their way
        work.go.set()
        time.sleep(0.05)
    gone = weakref.ref(owner), weakref.ref(owner.newest)
    del owner
    gc.collect()
    assert [ref() for ref in gone] == [None, None], "the thread holds neither"
    work.go.set()
    settle(qtbot, work)
    if permission == "after":
        assert work.letters == ["a"]


@pytest.mark.parametrize("permission", ["before", "after"])
def test_an_owner_that_qt_deletes_while_python_still_holds_it(qtbot, qapp, work, permission):
    work.go.clear()
    owner = Owner(work)
    owner.newest.ask("abc")
    qtbot.waitUntil(lambda: bool(work.began))
    if permission == "before":
        work.go.set()
        time.sleep(0.05)
    owner.deleteLater()
    QCoreApplication.sendPostedEvents(owner, QEvent.Type.DeferredDelete)
    assert not isalive(owner.newest)
    work.go.set()
    settle(qtbot, work)
    assert owner.taken == []
    owner.newest.close()
    owner.newest.ask("d")
    assert work.began == ["abc"]


def test_a_method_of_an_object_of_qt_is_refused(qapp):
    owner = Owner(lambda question: [question])
    with pytest.raises(TypeError, match="object of Qt"):
        NewestWins(owner.take)


ENDS = """
import sys, time
from qtpy.QtCore import QCoreApplication, QTimer
from napari_emssl.gui.threads.newest import NewestWins
app = QCoreApplication([])
def work(question):
    for step in range(100_000):
        time.sleep(0.02)
        yield step
newest = NewestWins(work)
newest.answered.connect(lambda step: app.quit() if step == 2 else None)
newest.ask("long")
app.exec()
"""


def test_the_program_ends_while_it_works():
    # the question takes half an hour: who waited for it would run into the limit
    done = subprocess.run([sys.executable, "-c", ENDS], timeout=600, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
