"""A script may end while its viewer is open: no thread and no dock is left when PyQt destroys its objects."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.gui

SCRIPT = """
import atexit, itertools, sys, threading, time
from qtpy.compat import isalive
from qtpy.QtWidgets import QApplication

@atexit.register
def report():  # registered between PyQt and ours, so it runs between them
    threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    print(threads, *map(isalive, docks))

import napari
from napari_emssl.gui.job.dock import FINETUNE, PRETRAIN, SIMULATE, open_dock
from napari_emssl.gui.threads.newest import NewestWins
from napari_emssl.jobs.events import Job, Progress
from napari_emssl.jobs.worker import client
from napari_emssl.jobs.worker.target import LazyFunction

def endless(question):
    for number in itertools.count():
        time.sleep(0.001)
        yield number

def steps(control):
    while not control.stopped:
        time.sleep(0.001)
        yield Progress(1, 10)

def begin(panel, make_job):
    panel.run(make_job, lambda result: result, lambda result, stopped: None)

viewer = napari.Viewer()
docks = [open_dock(viewer, name) for name in (SIMULATE, FINETUNE, PRETRAIN)]
newest = NewestWins(endless)
newest.ask(1)
begin(docks[0].panel, lambda: Job(steps))
begin(docks[1].panel, lambda: client.run(LazyFunction("small_jobs", "steps", light=True), 10_000))
until = time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    QApplication.processEvents()
"""


@pytest.mark.parametrize("seconds", [0.3, 3.0], ids=["while plots load", "while a worker runs"])
def test_threads_and_docks_end_before_qt_does(seconds, home):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
    assert (done.returncode, done.stdout) == (0, "[] False False False\n"), done.stderr
