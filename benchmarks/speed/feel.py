"""How the docks feel, in numbers.

    xvfb-run -a python benchmarks/speed/feel.py [docks] [pan] [stop] [memory] [curves]

Figures in seconds of one thread's processor time do not depend on what else the computer does; gaps of the event loop
do, so each is measured with and without a training in the same run, in turn.
"""

import argparse
import gc
import subprocess
import sys
import time
import weakref

import napari
import numpy as np
import psutil
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication

from napari_emssl.gui.job.dock import PLUGIN
from napari_emssl.gui.job.loss_plot import LossPlot
from napari_emssl.gui.job.runner import Runner
from napari_emssl.gui.plugin.demo import open_demo

PAN_SECONDS, PAN_REPEATS, RUNS, STOPS, HOURS = 30, 3, 10, 5, 10
FRAME_MS = 16


def live(seconds, until=lambda: False):
    """Let the viewer live for some seconds, or until something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        QApplication.processEvents()
        time.sleep(0.001)


def clocked(owner, name, spent):
    """Note the processor time of each call of a method of the plugin on the GUI thread."""
    method = getattr(owner, name)

    def timed(self, *arguments):
        begin = time.thread_time()
        method(self, *arguments)
        spent.append(1e3 * (time.thread_time() - begin))

    setattr(owner, name, timed)


def start(widget, **settings):
    """Start a training in the dock and wait until it has told a loss."""
    widget.basic.rows["max_seconds"].set(settings.pop("seconds", 600.0))
    for name, value in settings.items():
        widget.page.advanced.rows[name].set(value)
    widget.begin()
    live(120, lambda: bool(widget.panel.plot.curves) or not widget.panel.runner.running)


def ended(widget):
    """Wait until no job runs."""
    live(300, lambda: not widget.panel.runner.running)


def opened():
    """Return a viewer with the sample, its painting and the dock."""
    viewer = napari.Viewer()
    viewer.window.resize(1280, 800)
    widget = open_demo(viewer)
    live(8)
    return viewer, widget


class Gaps:
    """Gaps between the ticks of a timer, while the view is panned in circles."""

    def __init__(self, viewer):
        self.viewer, self.centre = viewer, viewer.camera.center
        self.tick, self.pan = QTimer(), QTimer()
        self.tick.setTimerType(Qt.TimerType.PreciseTimer)
        self.tick.timeout.connect(self.note)
        self.pan.timeout.connect(self.move)

    def note(self):
        """Note a gap, and how long the GUI thread worked in it."""
        now, worked = time.perf_counter(), time.thread_time()
        self.gaps.append((1e3 * (now - self.last[0]), 1e3 * (worked - self.last[1])))
        self.last = now, worked

    def move(self):
        """Move the view a little."""
        angle, (_, y, x) = 2 * time.perf_counter(), self.centre
        self.viewer.camera.center = (0, y + 3 * np.sin(angle), x + 3 * np.cos(angle))

    def during(self, seconds):
        """Return the gaps ``(n, 2)`` in milliseconds: wall time, and processor time of the GUI thread."""
        self.gaps, self.last = [], (time.perf_counter(), time.thread_time())
        self.tick.start(1)
        self.pan.start(FRAME_MS)
        live(seconds)
        self.tick.stop()
        self.pan.stop()
        return np.array(self.gaps)


def row(*cells):
    """Print a row of a table in Markdown."""
    print(
        "| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells) + " |", flush=True
    )


def figures(values):
    """Return median, 99th percentile and maximum."""
    return [float(np.percentile(values, p)) for p in (50, 99, 100)] if len(values) else [0.0, 0.0, 0.0]


def measure_pan():
    """Gaps of the event loop while panning, without and with a training, in turn."""
    spent = []
    clocked(Runner, "_emit", spent)
    clocked(LossPlot, "draw", spent)
    viewer, widget = opened()
    watch = Gaps(viewer)
    row("panning", *("gap: p50 (ms)", "p99", "longest"), *("work in it: p50 (ms)", "p99", "longest"),
        *("the plugin's share: p50 (ms)", "p99", "longest"), "load")  # fmt: skip
    row(*["---"] * 11)
    for _ in range(PAN_REPEATS):
        for what in ("without training", "with training"):
            if what == "with training":
                start(widget)
                live(5)
            spent.clear()
            gaps = watch.during(PAN_SECONDS)
            row(what, *figures(gaps[:, 0]), *figures(gaps[:, 1]), *figures(spent), psutil.getloadavg()[0])
            widget.panel.runner.control.stop()
            ended(widget)
            live(2)
    viewer.close()


def measure_stop():
    """Seconds from the click on Stop to the message and to the model in the zoo."""
    viewer, widget = opened()
    answered, over = [], []
    for _ in range(STOPS):
        start(widget)
        live(4)
        begin = time.perf_counter()
        widget.panel.stop_button.click()
        answered.append(time.perf_counter() - begin)
        ended(widget)
        over.append(time.perf_counter() - begin)
        assert widget.trained is not None
    row("stop", "median (s)", "longest")
    row("---", "---", "---")
    row("the dock answers", float(np.median(answered)), max(answered))
    row("the model is there", float(np.median(over)), max(over))
    viewer.close()


def megabytes():
    """Resident memory of the viewer's process, and of its children."""
    gc.collect()
    process = psutil.Process()
    children = sum(child.memory_info().rss for child in process.children(recursive=True))
    return process.memory_info().rss / 1e6, children / 1e6


def measure_memory():
    """Memory after one training and application, and after ten; what is left of a dock and a viewer that are closed."""
    viewer, widget = opened()
    row("after run", "viewer (MB)", "its processes (MB)", "processes", "layers")
    row(*["---"] * 5)
    for number in range(1, RUNS + 1):
        start(widget, steps=20)
        ended(widget)
        widget.apply()
        ended(widget)
        viewer.layers.pop()  # each model has a result of its own
        live(3)
        row(number, *megabytes(), len(psutil.Process().children(recursive=True)), len(viewer.layers))
    dock, model = weakref.ref(widget), weakref.ref(viewer)
    viewer.window.remove_dock_widget(widget)
    del widget
    live(1)
    gc.collect()
    print("dock collected after it was closed:", dock() is None)
    viewer.close()
    del viewer
    live(1)
    gc.collect()
    print("viewer collected after it was closed:", model() is None)


def measure_curves():
    """Ten hours of events, ten a second: time to draw, and memory."""
    app = QApplication.instance() or QApplication([])
    plot = LossPlot()
    plot.resize(370, 320)
    plot.show()
    live(1)
    row("hours", "events", "draw, median (ms)", "longest", "taking in an event (ms)", "memory (MB)")
    row(*["---"] * 6)
    for hour in range(HOURS):
        begin = time.thread_time()
        for i in range(36_000):
            step = 36_000 * hour + i
            loss = float(np.exp(-step / 1e5) * (1 + 0.3 * np.sin(step)))
            plot.add(step, {"loss": loss}, {"dice": 1 - loss / 2, "loss": loss} if i % 50 == 0 else {})
        each = (time.thread_time() - begin) / 36
        drawn = []
        for _ in range(9):
            for curve in plot.curves.values():
                curve.stale = True
            begin = time.thread_time()
            plot.draw()
            drawn.append(1e3 * (time.thread_time() - begin))
        if hour in (0, 1, 4, 9):
            row(hour + 1, 36_000 * (hour + 1), float(np.median(drawn)), max(drawn), each, megabytes()[0])
    del app


def measure_docks():
    """Opening each dock as the first one, once the viewer is up; each in a process of its own."""
    row("dock", "processor time (s)", "wall time (s)", "modules loaded")
    row(*["---"] * 4)
    for name in dock_names():
        best = min((open_alone(name) for _ in range(3)), key=lambda found: found[0])
        row(name, *best[:2], int(best[2]))


def dock_names():
    """Names of the docks, as the manifest lists them."""
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution(PLUGIN)
    return [widget.display_name for widget in manifest.contributions.widgets]


OPEN = """
import sys, time
import napari, numpy as np
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer()
viewer.add_image(np.zeros((512, 512), np.float32))
end = time.monotonic() + 2
while time.monotonic() < end:
    QApplication.processEvents(); time.sleep(0.01)
known, wall, own = len(sys.modules), time.perf_counter(), time.thread_time()
viewer.window.add_plugin_dock_widget("napari-emssl", sys.argv[1])
QApplication.processEvents()
print("figures", time.thread_time() - own, time.perf_counter() - wall, len(sys.modules) - known)
viewer.close()
"""


def open_alone(name):
    """Open a dock in a fresh viewer; return processor time, wall time and the number of modules that it loaded."""
    done = subprocess.run([sys.executable, "-c", OPEN, name], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("figures"))
    return tuple(float(word) for word in line.split()[1:])


PARTS = {
    "docks": measure_docks,
    "pan": measure_pan,
    "stop": measure_stop,
    "memory": measure_memory,
    "curves": measure_curves,
}


def main():
    """Measure the parts that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=f"any of {', '.join(PARTS)}")
    for part in parser.parse_args().parts or PARTS:
        PARTS[part]()
        print(flush=True)


if __name__ == "__main__":
    main()
