"""How the worker process is started and ended on Windows: what it would be asked is looked at, nothing is started."""

import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from napari_emssl.jobs.worker import process, session


@pytest.fixture
def windows(monkeypatch):
    """The parts of Python that only Windows has; returns what `Popen` was asked for."""
    asked = {}

    class Popen:
        pid = 4711

        def __init__(self, command, **options):
            asked.update(command=command, **options)
            self.ended = []

        def poll(self):
            return 1 if self.ended else None

        def wait(self, seconds=None):
            if not self.ended:
                raise subprocess.TimeoutExpired("python", seconds)
            return 1

        def terminate(self):
            asked["terminated"] = True
            self.ended.append(True)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(
        process.os, "set_handle_inheritable", lambda handle, on: asked.update(handle=handle), raising=False
    )
    monkeypatch.setattr(subprocess, "STARTUPINFO", SimpleNamespace, raising=False)
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x08000000, raising=False)
    monkeypatch.setattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0x4000, raising=False)
    monkeypatch.setattr(subprocess, "Popen", Popen)
    monkeypatch.delattr(signal, "SIGKILL")
    monkeypatch.delattr(process.os, "killpg")
    return asked


def test_windows_gets_a_handle_no_window_and_no_groups(windows):
    started = process.Process()
    assert windows["startupinfo"].lpAttributeList == {"handle_list": [windows["handle"]]}
    assert windows["creationflags"] == 0x08004000
    assert not {"pass_fds", "process_group"} & set(windows)
    after = windows["command"].index("napari_emssl.jobs.worker.main") + 1
    assert windows["command"][after : after + 2] == [str(windows["handle"]), str(started.folder)]
    assert started.terminate(0.0) == 1
    assert windows["terminated"]
    started.clear(0.0)
    assert not started.folder.exists()


@pytest.mark.parametrize(
    ("code", "told"),
    [(1, "exit code 1"), (0xC0000005, "exit code 0xc0000005"), (-9, "signal 9"), (-64, "signal 64 (")],
)
def test_the_end_of_a_process_is_told_in_the_system_s_words(code, told):
    assert told in session._cause(code)
