"""Seconds from a stroke of the brush to the mask on screen, in a real viewer.

    OMP_NUM_THREADS=1 xvfb-run -a python benchmarks/speed/first_look.py [--sizes 512 1024 2048] [--strokes 4]
    xvfb-run -a -s "-screen 0 1280x800x24" python benchmarks/speed/first_look.py --images IMAGE MASK [IMAGE MASK ...]

Bright discs on noise are painted one after another. For each plane: seconds from the dock's opening until the process
of the first look is there, from the first stroke to the first mask and to the whole plane, and medians of the strokes
after it; behind each, in brackets, processor seconds of that process until the whole plane was answered, which with
one thread (OMP_NUM_THREADS=1) hardly depend on what else the computer does. The last column is the longest gap of the
viewer's event loop after the first stroke. ``--filters`` measures the first look by filters instead. 0.3 s of each
figure is the time that the dock waits for the stroke to end.

With ``--images`` the planes are images of your own, each with a mask by which whole objects are painted, those of
middle size first; a last column says the Dice overlap of the first answer with the mask, the first object left out.
``--screenshots FOLDER`` keeps what is on screen after the first stroke, ``--json FILE`` the figures.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import napari
import numpy as np
import psutil
from qtpy.QtWidgets import QApplication
from skimage.io import imread
from skimage.measure import label, regionprops

from napari_emssl.gui.models.picker import ModelPicker
from napari_emssl.models.zoo import import_model

FEW_CLASSES, SMALLEST_PX = 8, 30
STEP_PX, CALM_SECONDS, LONGEST_SECONDS = 64, 3.0, 300.0


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


def of_interest(mask):
    """Return where there is an object in a mask: of a few classes the last one, of numbered objects all."""
    return mask == mask.max() if mask.max() < FEW_CLASSES else mask > 0


def objects_of(mask):
    """Return the pixels of the objects in a mask of classes or of numbered objects, those of middle size first."""
    numbers = label(of_interest(mask)) if mask.max() < FEW_CLASSES else mask
    regions = [region for region in regionprops(numbers) if region.area >= SMALLEST_PX]
    middle = np.median([region.area for region in regions])
    return [region.coords for region in sorted(regions, key=lambda region: abs(region.area - middle))]


def opened(path, mask_path):
    """Return an image ``(h, w)``, the pixels of its objects, and where there is one."""
    planes = (np.squeeze(imread(each)) for each in (path, mask_path))
    image, mask = (plane[..., 0] if plane.ndim == 3 else plane for plane in planes)
    return image, objects_of(mask), of_interest(mask)


def overlap(found, truth, painted):
    """Return Dice of a prediction, painted pixels left out."""
    rest = np.ones(truth.shape, bool)
    rest[tuple(painted.T)] = False
    found, truth = (found > 0)[rest], truth[rest]
    return float(2 * (found & truth).sum() / max(found.sum() + truth.sum(), 1))


def measure(name, image, places, options, truth=None):
    """Return the figures of a row of the table."""
    viewer = napari.Viewer()
    viewer.window.resize(1280, 800)
    viewer.add_image(image, name=name)
    wait(1.0)
    began = time.monotonic()
    _, dock = viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Fine-tune")
    if options.generator:
        dock.start.pick(options.generator.stem)
    in_context = dock.page.live.generator is not None
    dock.page.add_painting()
    if in_context:
        wait(60, lambda: dock.page.live.runner.control._listener is not None)
    ready = time.monotonic() - began
    wait(6.0)
    answers, painting, seconds, gaps, dice = Answers(dock.page), dock.page.painting.value, [], [], None
    for place in places[: options.strokes]:
        stroke = time.monotonic()
        painting.data_setitem(tuple(place.T), 1)
        seconds.append(answers.after(stroke))
        gaps.append(answers.gap)
        if len(seconds) == 1:
            dice = overlap(dock.page.answer, truth, place) if truth is not None else None
            if options.screenshots:
                wait(1.0)
                viewer.window.screenshot(str(options.screenshots / f"{name}.png"), canvas_only=False)
    first, later = seconds[0], np.median(seconds[1:] or seconds, axis=0)
    viewer.close()
    return {
        "plane": name, "height": image.shape[0], "width": image.shape[1],
        "kind": "in context" if in_context else "filters", "ready_s": ready, "first_mask_s": first[0],
        "whole_plane_s": first[1], "processor_s": first[2], "later_mask_s": later[0], "later_whole_s": later[1],
        "later_processor_s": later[2], "longest_gap_s": gaps[0], "dice": dice,
    }  # fmt: skip


def row(found):
    """Return a row of the table in Markdown."""
    dice = "" if found["dice"] is None else f"{found['dice']:.2f}"
    return (
        f"| {found['plane']}, {found['height']} x {found['width']} | {found['kind']} | {found['ready_s']:.1f} "
        f"| {found['first_mask_s']:.1f} | {found['whole_plane_s']:.1f} ({found['processor_s']:.1f}) "
        f"| {found['later_mask_s']:.1f} | {found['later_whole_s']:.1f} ({found['later_processor_s']:.1f}) "
        f"| {found['longest_gap_s']:.2f} | {dice} |"
    )


def cases(options):
    """Yield name, image, pixels of its objects, and its mask or None, of each plane that is measured."""
    for path, mask in zip(options.images[::2], options.images[1::2], strict=True):
        image, places, truth = opened(path, mask)
        yield f"{path.parent.parent.name} {path.stem}", image, places, truth
    for size in [] if options.images else options.sizes:
        yield "discs", *discs(size), None


def main():
    """Measure planes of several sizes, or images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", type=Path, help="a file; by default the recommended generator")
    parser.add_argument("--filters", action="store_true", help="answer by filters instead")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048], help="edges of made-up planes")
    parser.add_argument("--strokes", type=int, default=4, help="how many objects are painted (default: 4)")
    parser.add_argument("--images", type=Path, nargs="+", default=[], metavar="FILE", help="images, each with its mask")
    parser.add_argument("--screenshots", type=Path, help="folder for pictures of the viewer")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    if options.screenshots:
        options.screenshots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["NAPARI_EMSSL_HOME"] = home
        if options.generator:
            import_model(options.generator, options.generator.stem)
        if options.filters:
            ModelPicker.context_generator = lambda picker: None
        print("| plane | answered by | process there | first stroke: first mask | whole plane | later strokes: "
              "first mask | whole plane | longest gap | Dice |\n" + "|---" * 9 + "|", flush=True)  # fmt: skip
        rows = []
        for name, image, places, truth in cases(options):
            rows.append(measure(name, image, places, options, truth))
            print(row(rows[-1]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
