"""How long the particles dock holds the viewer's event loop.

    xvfb-run -a python benchmarks/speed/particles_dock.py

A mask of 2048 x 2048 px with several hundred discs is measured, then the separation is dragged. A timer notes the gaps
between its ticks; "own" is the longest that a handler of the dock kept the GUI thread, in processor time, so that it
does not depend on what else the computer does. The last line is napari's own refresh of the layer, without the dock.
"""

import argparse
import time

import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_emssl.gui.particles.dock import ParticlesDock

EDGE, DISCS, SEED = 2048, 900, 0


def mask():
    """Draw discs of 16 to 60 px at random places."""
    rng, found = np.random.default_rng(SEED), np.zeros((EDGE, EDGE), np.uint8)
    rows, columns = np.ogrid[:EDGE, :EDGE]
    for _ in range(DISCS):
        y, x, radius = *rng.integers(0, EDGE, 2), rng.uniform(8, 30)
        box = np.s_[max(0, int(y - radius)) : int(y + radius + 2), max(0, int(x - radius)) : int(x + radius + 2)]
        found[box] |= (rows[box[0]] - y) ** 2 + (columns[:, box[1]] - x) ** 2 < radius**2
    return found


def live(seconds, until=lambda: False):
    """Let the viewer live for some seconds, or until something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        QApplication.processEvents()
        time.sleep(0.001)


def clocked(name, spent):
    """Note the processor time of a handler of the dock."""
    handler = getattr(ParticlesDock, name)

    def timed(self, *arguments):
        begin = time.thread_time()
        handler(self, *arguments)
        spent.append(time.thread_time() - begin)

    setattr(ParticlesDock, name, timed)


class Watch:
    """Notes the gaps between the ticks of a timer."""

    def __init__(self, spent):
        self.spent = spent
        self.timer = QTimer()
        self.timer.timeout.connect(self.tick)

    def tick(self):
        """Note a gap."""
        now = time.perf_counter()
        self.gaps.append(now - self.last)
        self.last = now

    def during(self, what, action):
        """Print the gaps during an action, and how long it took."""
        self.spent.clear()
        self.gaps, self.last = [], time.perf_counter()
        begin = self.last
        self.timer.start(0)
        action()
        self.timer.stop()
        gaps = np.sort(self.gaps) * 1e3
        p99 = gaps[int(0.99 * len(gaps))]
        own = 1e3 * max(self.spent, default=0)
        took = time.perf_counter() - begin
        print(f"{what}: gaps p99 {p99:.0f} ms, worst {gaps[-1]:.0f} ms; own {own:.0f} ms; took {took:.2f} s")


def main():
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    spent = []
    for name in ("_on_found", "_show_all", "_ask"):
        clocked(name, spent)
    viewer = napari.Viewer()
    viewer.window.resize(1280, 800)
    viewer.add_labels(mask(), name="mask", scale=(0.1, 0.1), units=("nm", "nm"))
    live(1)
    begin = time.perf_counter()
    _, dock = viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Particles")
    print(f"opening the dock: {time.perf_counter() - begin:.2f} s")
    live(1)
    watch, split = Watch(spent), dock.form_of_settings.split

    def answered():
        live(60, lambda: not dock.measurer.busy)

    def first():
        dock.begin()
        answered()

    def drag():
        for share in np.linspace(0.5, 0.98, 60):
            split.setValue(float(share))
            live(0.06)
        answered()

    def one_more():
        split.setValue(0.8)
        answered()

    def refresh():
        for _ in range(10):
            dock.output.layer.refresh()
            live(0.1)

    for what, action in {
        "first result": first,
        "dragging": drag,
        "one change": one_more,
        "napari alone": refresh,
    }.items():
        watch.during(what, action)
        live(0.5)
    print(dock.message.text)
    viewer.close()


if __name__ == "__main__":
    main()
