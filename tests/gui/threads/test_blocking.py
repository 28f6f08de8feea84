"""Slow work leaves the window alive."""

import threading

import pytest
from qtpy.QtCore import QTimer

from napari_emssl.gui.threads.blocking import run_blocking

pytestmark = pytest.mark.gui


def test_timers_go_on_and_the_result_comes_back(qtbot):
    ticks, timer, many = [], QTimer(), threading.Event()
    timer.timeout.connect(lambda: (ticks.append(1), many.set() if len(ticks) > 10 else None))
    timer.start(5)

    def work(tick):
        for _ in range(4):
            tick()
        assert many.wait(300), "the timer stands still"
        return threading.current_thread() is not threading.main_thread()

    assert run_blocking(work, "Working", steps=4) is True


def test_errors_come_back(qtbot):
    with pytest.raises(ValueError, match="broken"):
        run_blocking(lambda tick: (_ for _ in ()).throw(ValueError("broken")), "Working")


def test_in_a_thread_the_work_is_just_done():
    found = []
    thread = threading.Thread(
        target=lambda: found.append(run_blocking(lambda _: threading.current_thread(), "Working"))
    )
    thread.start()
    thread.join()
    assert found == [thread]
