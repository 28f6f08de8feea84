"""Take the pictures of the docks in docs/images, in a virtual display: ``python scripts/screenshots.py [SECONDS]``."""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_emssl.gui.demo import PLUGIN, open_demo

FOLDER = Path(__file__).parents[1] / "docs" / "images"
SIZE = 1280, 800
LARGEST = 300_000


def wait(seconds=0.3, until=lambda: False):
    """Let the viewer live for some seconds, or until something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        QApplication.processEvents()
        time.sleep(0.01)


def take(viewer, name):
    """Save a picture of the whole window, small enough for a repository."""
    wait(0.8)
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    path = FOLDER / f"{name}.png"
    for colours in (256, 192, 160, 128, 96):
        picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= LARGEST:
            return


def run(panel, share=1.0):
    """Wait until a job is over, or has come so far."""
    wait(600, lambda: not panel.runner.running or share < panel.bar.value() / max(panel.bar.maximum(), 2) < 1)


def main():
    """Walk through the demo and take a picture of each state."""
    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    widget = open_demo(viewer)
    wait(1)
    viewer.reset_view()
    take(viewer, "dock-ready")
    widget.basic.rows["max_seconds"].set(float(sys.argv[1]) if len(sys.argv) > 1 else 45.0)
    widget.begin()
    run(widget.panel, 0.7)
    take(viewer, "dock-running")
    run(widget.panel)
    take(viewer, "dock-done")
    widget.apply()
    run(widget.panel)
    viewer.dims.set_current_step(0, 2)
    take(viewer, "dock-result")
    _, other = viewer.window.add_plugin_dock_widget(PLUGIN, "EM SSL Apply model", tabify=True)
    other.begin()
    run(other.panel)
    take(viewer, "apply")
    viewer.theme = "light"
    take(viewer, "apply-light")
    viewer.close()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as home, mock.patch.dict("os.environ", NAPARI_EMSSL_HOME=home):
        main()
