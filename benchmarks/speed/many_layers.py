"""Seconds that adding and removing many layers takes, without and with docks open.

    xvfb-run -a python benchmarks/speed/many_layers.py [--layers 100] [--docks 0 1 3] [--json FILE]

Half of the layers are images, half are labels on them. For each number of docks (Fine-tune, Apply model and Particles,
opened in this order): wall time and processor time of the GUI thread for adding all layers one by one, for renaming a
tenth of them, and for removing all at once, each until the event loop has nothing left to do. The first row is napari
alone; what a dock costs is the difference to it.
"""

import argparse
import json
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

DOCKS = ("EM SSL Fine-tune", "EM SSL Apply model", "EM SSL Particles")
SIDE_PX, SETTLE_SECONDS = 32, 0.3


def settle(seconds=SETTLE_SECONDS):
    """Let the viewer live until nothing more happens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()


def timed(work):
    """Return wall and processor seconds of some work and of the one pass of the event loop that follows."""
    wall, own = time.perf_counter(), time.thread_time()
    work()
    QApplication.processEvents()
    return {"wall_s": time.perf_counter() - wall, "processor_s": time.thread_time() - own}


def add(viewer, count):
    """Add images, and labels on them, one by one."""
    plane = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    for number in range(count):
        if number % 2 == 0:
            viewer.add_image(plane, name=f"image {number}", contrast_limits=(0, 255))
        else:
            viewer.add_labels(plane, name=f"image {number - 1} | painting")


def rename(viewer):
    """Rename a tenth of the layers."""
    for layer in viewer.layers[::10]:
        layer.name = f"{layer.name} again"


def measure(layers, docks):
    """Return the seconds with so many layers and docks."""
    viewer = napari.Viewer()
    for name in DOCKS[:docks]:
        viewer.window.add_plugin_dock_widget("napari-emssl", name, tabify=True)
    settle(2.0)
    found = {"docks": docks, "layers": layers}
    for name, work in (
        ("add", lambda: add(viewer, layers)), ("rename", lambda: rename(viewer)), ("remove", viewer.layers.clear),
    ):  # fmt: skip
        found |= {f"{name}_{what}": seconds for what, seconds in timed(work).items()}
        settle()
    viewer.close()
    return found


def main():
    """Measure each number of docks, print a table in Markdown and write the figures where they are wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=100, help="how many layers (default: 100)")
    parser.add_argument("--docks", type=int, nargs="+", default=[0, 1, 3], help="how many docks are open, of three")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    names = [f"{work}_{what}" for work in ("add", "rename", "remove") for what in ("wall_s", "processor_s")]
    print("| docks | layers | " + " | ".join(name.replace("_", " ") for name in names) + " |")
    print("|---" * (len(names) + 2) + "|")
    rows = []
    for docks in options.docks:
        rows.append(measure(options.layers, docks))
        figures = " | ".join(f"{rows[-1][name]:.2f}" for name in names)
        print(f"| {docks} | {options.layers} | {figures} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
