"""Take the pictures of the docks in docs/images, in a virtual display: ``python scripts/screenshots.py [SECONDS]``."""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import napari
import numpy as np
import psutil
from PIL import Image
from qtpy.QtWidgets import QApplication
from scipy import ndimage

from napari_emssl.gui.job.dock import PARTICLES, PLUGIN, open_dock
from napari_emssl.gui.plugin.demo import open_demo

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
    """Save a picture of the whole window."""
    wait(0.8)
    save(Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB"), name)


def save(picture, name):
    """Save a picture, small enough for a repository."""
    path = FOLDER / f"{name}.png"
    for colours in (256, 192, 160, 128, 96):
        picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= LARGEST:
            return


def run(panel, share=1.0):
    """Wait until a job is over, or has come so far."""
    wait(600, lambda: not panel.runner.running or share < panel.bar.value() / max(panel.bar.maximum(), 2) < 1)


def more_to_learn_from(viewer, widget):
    """Paint two more labels, add a second image with its painting, and draw a rectangle in which all is painted."""
    image, painting = widget.page.image.value, widget.page.painting.value
    painting.data[0, 300:330, 40:90], painting.data[0, 10:40, 450:500] = 2, 3
    painting.refresh()
    second = {"scale": image.scale[-2:], "units": image.units[-2:], "visible": False}
    viewer.add_image(np.asarray(image.data[1]), name="HAADF_lamella 7_overview_0042", **second)
    viewer.add_labels((np.asarray(image.data[1]) > 200).astype(np.uint8),
                      name="HAADF_lamella 7_overview_0042 | painting", **second)  # fmt: skip
    widget.page.image.value = image
    widget.page.add_image_button.click()
    widget.page.new_regions_button.click()
    widget.page.regions.value.add_rectangles(np.array([[0, 100, 60], [0, 100, 300], [0, 250, 300], [0, 250, 60]]))
    wait(5, lambda: widget.page.classes.rowCount() == 3)
    widget.page.classes.item(0, 1).setText("gold particle")
    widget.page.classes.cellWidget(1, 2).setCurrentText("background")
    widget.page.classes.cellWidget(2, 2).setCurrentText("ignore")


def open_list(viewer, widget):
    """Take a picture of the screen with the list of starts open: it is a window of its own."""
    widget.start.showPopup()
    wait(0.8)
    path = FOLDER / "dock-starts.png"
    QApplication.primaryScreen().grabWindow(0).save(str(path))
    save(Image.open(path).convert("RGB"), path.stem)
    widget.start.hidePopup()


def die_and_resume(widget):
    """Let a training die after its first autosave."""
    widget.page.advanced.rows["autosave_seconds"].set(2.0)
    widget.begin()
    autosave = widget._latest[1].autosave
    wait(400, autosave.is_file)
    wait(4)
    psutil.Process(widget.panel.runner.control._listener.__self__.process.pid).kill()
    run(widget.panel)


def demo():
    """Open the demo in a viewer of its own, and return both."""
    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    widget = open_demo(viewer)
    wait(1)
    viewer.reset_view()
    return viewer, widget


def training_states():
    """The fine-tuning dock in the states that the demo does not come to."""
    viewer, widget = demo()
    open_list(viewer, widget)
    die_and_resume(widget)
    take(viewer, "dock-died")
    viewer.close()


def classes():
    """Several labels and images, in a viewer of its own: no message of what was done before is in the picture."""
    viewer, widget = demo()
    first_look(viewer)
    widget.page.live.box.setChecked(False)  # the second image and its painting do not belong together
    more_to_learn_from(viewer, widget)
    take(viewer, "dock-classes")
    viewer.close()


def first_look(viewer):
    """Wait until the painting is answered; a picture without the answer would be of nothing."""
    wait(300, lambda: any(layer.name.endswith("| preview") for layer in viewer.layers))
    assert any(layer.name.endswith("| preview") for layer in viewer.layers), "no first look after five minutes"
    wait(3)


def one_particle():
    """The first look, with one particle painted and nothing pressed."""
    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    widget = open_demo(viewer)
    painting = widget.page.painting.value
    pieces, _ = ndimage.label(painting.data[0] == 1)
    painting.data[0][pieces > 1] = 0
    painting.refresh()
    painting.events.data()
    wait(1)
    viewer.reset_view()
    first_look(viewer)
    take(viewer, "dock-one-particle")
    viewer.close()


def particles():
    """The particles of the sample stack, measured, with one row chosen."""
    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    image, truth = viewer.open_sample(PLUGIN, "nanoparticles")
    viewer.dims.set_current_step(0, 0)
    widget = open_dock(viewer, PARTICLES)
    wait(1)
    viewer.reset_view()
    widget.image.value = image
    widget.scope.setCurrentIndex(1)
    widget.measure_layer(truth)
    wait(60, lambda: widget.table is not None and widget.message.text == widget.table.describe())
    widget.view.choose(5)
    take(viewer, "dock-particles")
    viewer.close()


def main():
    """Walk through the demo and take a picture of each state."""
    viewer, widget = demo()
    first_look(viewer)
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
    viewer.close()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as home, mock.patch.dict("os.environ", NAPARI_EMSSL_HOME=home):
        particles()
        one_particle()
        main()
        training_states()
        classes()
