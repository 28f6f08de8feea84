"""Seconds from a stroke of the brush to the mask on screen, in a real viewer.

    OMP_NUM_THREADS=1 xvfb-run -a python benchmarks/speed/first_look.py [--sizes 512 1024 2048] [--strokes 4]

Bright discs on noise are painted one after another. For each plane: seconds from the dock's opening until the process
of the first look is there, from the first stroke to the first mask and to the whole plane, and medians of the strokes
after it; behind each, in brackets, processor seconds of that process until the whole plane was answered, which with
one thread (OMP_NUM_THREADS=1) hardly depend on what else the computer does. The last column is the longest gap of the
viewer's event loop after the first stroke. ``--filters`` measures the first look by filters instead. 0.3 s of each
figure is the time that the dock waits for the stroke to end.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import napari
import numpy as np
import psutil
from qtpy.QtWidgets import QApplication

from napari_emssl.gui.models.picker import ModelPicker
from napari_emssl.models.zoo import import_model

STEP_PX, CALM_SECONDS, LONGEST_SECONDS = 64, 1.0, 300.0


def discs(size):
    """Bright discs on a noisy ground, uint8, and the pixels of each disc in turn."""
    rows, columns = np.mgrid[:size, :size]
    middle = STEP_PX // 2
    distance = np.hypot(rows % STEP_PX - middle, columns % STEP_PX - middle)
    image = 100 + 60 * (distance < STEP_PX / 4) + 12 * np.random.default_rng(0).standard_normal((size, size))
    stamp = np.argwhere(distance[:STEP_PX, :STEP_PX] < STEP_PX / 4)
    corner = (size // 2) // STEP_PX * STEP_PX
    places = [(corner, corner + STEP_PX * number) for number in range(size // STEP_PX // 2)]
    return np.clip(image, 0, 255).astype(np.uint8), [stamp + place for place in places]


class Answers:
    """When answers came, and the longest gap of the event loop while they were waited for."""

    def __init__(self, page):
        self.page, self.times, self.gap = page, [], 0.0
        page.live.answered.connect(lambda *_: self.times.append(time.monotonic()))

    def spent(self):
        """Processor seconds of the process of the first look; 0 before there is one."""
        process = getattr(self.page.live.runner.control._listener, "__self__", None)
        return sum(psutil.Process(process.process.pid).cpu_times()[:2]) if process else 0.0

    def after(self, began):
        """Wait until answers have come and no more do; return seconds to the first, to the last, and those spent."""
        self.times.clear()
        before = self.spent()
        self.gap, last = 0.0, time.monotonic()
        while time.monotonic() - began < LONGEST_SECONDS:
            QApplication.processEvents()
            now = time.monotonic()
            self.gap, last = max(self.gap, now - last), now
            if self.times and now - self.times[-1] > max(CALM_SECONDS, 1.5 * (self.times[-1] - began)):
                return self.times[0] - began, self.times[-1] - began, self.spent() - before
            time.sleep(0.001)
        raise SystemExit("No answer came.")


def wait(seconds, until=lambda: False):
    """Let the viewer live."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        QApplication.processEvents()
        time.sleep(0.001)


def measure(size, strokes, generator):
    """Print a row of the table."""
    image, places = discs(size)
    viewer = napari.Viewer()
    viewer.add_image(image, name="discs")
    wait(1.0)
    began = time.monotonic()
    _, dock = viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Fine-tune")
    if generator:
        dock.start.pick(generator.stem)
    in_context = dock.page.live.generator is not None
    dock.page.add_painting()
    if in_context:
        wait(60, lambda: dock.page.live.runner.control._listener is not None)
    ready = time.monotonic() - began
    wait(6.0)
    answers, painting, seconds, gaps = Answers(dock.page), dock.page.painting.value, [], []
    for place in places[:strokes]:
        stroke = time.monotonic()
        painting.data_setitem(tuple(place.T), 1)
        seconds.append(answers.after(stroke))
        gaps.append(answers.gap)
    first, later = seconds[0], np.median(seconds[1:], axis=0)
    kind = "in context" if in_context else "filters"
    print(f"| {size} x {size} | {kind} | {ready:.1f} | {first[0]:.1f} | {first[1]:.1f} ({first[2]:.1f}) "
          f"| {later[0]:.1f} | {later[1]:.1f} ({later[2]:.1f}) | {gaps[0]:.2f} |", flush=True)  # fmt: skip
    viewer.close()


def main():
    """Measure planes of several sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", type=Path, help="a file; by default the recommended generator")
    parser.add_argument("--filters", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--strokes", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["NAPARI_EMSSL_HOME"] = home
        if options.generator:
            import_model(options.generator, options.generator.stem)
        if options.filters:
            ModelPicker.context_generator = lambda picker: None
        print("| plane | answered by | process there | first stroke: first mask | whole plane | later strokes: first "
              "mask | whole plane | longest gap |\n|---|---|---|---|---|---|---|---|", flush=True)  # fmt: skip
        for size in options.sizes:
            measure(size, options.strokes, options.generator)


if __name__ == "__main__":
    main()
