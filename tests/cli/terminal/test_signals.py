"""Signals stop a job, whatever it is doing."""

import importlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from napari_emssl.cli.progress import StoppedError, run_with_progress
from napari_emssl.cli.terminal import signals
from napari_emssl.cli.terminal.signals import STOPPING, StopOnSignal
from napari_emssl.data.read_watch import waiting
from napari_emssl.jobs.events import Control, Finished, Job, Notice, Update

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")


def _send(number: int, after: float) -> None:
    threading.Timer(after, os.kill, (os.getpid(), number)).start()


@pytest.mark.parametrize("number", STOPPING)
def test_stop_is_asked_for(number: signal.Signals) -> None:
    def events(control: Control) -> Iterator[Update | Finished[str]]:
        while not control.stopped:
            time.sleep(0.02)
            yield Notice("on")
        yield Finished("saved", stopped=True)

    _send(number, 0.2)
    ending = run_with_progress(Job(events), "Job", quiet=True)
    assert (ending.result, ending.status) == ("saved", 128 + number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_read_that_hangs_is_given_up(number: signal.Signals) -> None:
    reading, writing = os.pipe()

    def events(control: Control) -> Iterator[Update | Finished[str]]:
        yield Notice("reading")
        with waiting():
            os.read(reading, 1)

    _send(number, 0.2)
    with pytest.raises(StoppedError) as stopped:
        run_with_progress(Job(events), "Job", quiet=True)
    assert stopped.value.signal_number == number
    os.close(reading)
    os.close(writing)


def test_hangup_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopOnSignal(Job(lambda control: iter(()))):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_that_a_system_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has neither SIGHUP nor timers that signal."""
    for name in ("SIGHUP", "SIGALRM", "setitimer", "ITIMER_REAL"):
        monkeypatch.delattr(signal, name)
    try:
        module = importlib.reload(signals)
        assert module.STOPPING == (signal.SIGINT, signal.SIGTERM)
        job = Job[object](lambda control: iter(()))
        with module.StopOnSignal(job) as stopping:
            os.kill(os.getpid(), signal.SIGTERM)
        assert stopping.received == signal.SIGTERM
        assert job.control.stopped
    finally:
        monkeypatch.undo()
        importlib.reload(signals)
