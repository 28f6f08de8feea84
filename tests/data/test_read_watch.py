"""Whether the main thread waits for data."""

import threading
import time

from napari_emssl.data.read_watch import waiting, waiting_seconds


def test_the_outermost_wait_counts() -> None:
    assert waiting_seconds() == 0
    with waiting():
        time.sleep(0.05)
        with waiting():
            assert waiting_seconds() >= 0.05
    assert waiting_seconds() == 0


def test_other_threads_do_not_count() -> None:
    inside, over = threading.Event(), threading.Event()

    def wait() -> None:
        with waiting():
            inside.set()
            over.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    inside.wait()
    assert waiting_seconds() == 0
    over.set()
    thread.join()
