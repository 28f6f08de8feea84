"""Take the pictures of the apply dock in docs/images: ``python scripts/screenshots_apply.py [SECONDS]``.

A model is fine-tuned on the painted sample first, for so many seconds.
"""

import sys
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import dask.array as da
import napari
import numpy as np
from screenshots import SIZE, run, take, wait

from napari_emssl.data.images.writers import write_image
from napari_emssl.gui.job.dock import APPLY, open_dock
from napari_emssl.gui.plugin.demo import open_demo

MODEL = "gold on carbon"


def train(viewer, seconds):
    """Fine-tune on the demo's painting, and leave the sample in the viewer."""
    widget = open_demo(viewer)
    widget.basic.rows["max_seconds"].set(seconds)
    widget.name.setText(MODEL)
    widget.name.setModified(True)
    widget.begin()
    run(widget.panel)
    viewer.window.remove_dock_widget(widget)


def foreseen(widget):
    """Wait until tiles and memory are known."""
    wait(90, lambda: widget.update_estimate() or "while it runs" in widget.plan.text)


def main():
    """Walk through the places a result can go to."""
    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    train(viewer, float(sys.argv[1]) if len(sys.argv) > 1 else 45.0)
    film = viewer.layers[0]
    for layer in list(viewer.layers)[1:]:
        viewer.layers.remove(layer)
    widget = open_dock(viewer, APPLY)
    widget.use_model(MODEL)
    widget.image.value = film
    foreseen(widget)
    viewer.reset_view()
    widget.begin()
    run(widget.panel)
    take(viewer, "apply")
    viewer.theme = "light"
    take(viewer, "apply-light")
    viewer.theme = "dark"
    lazily(viewer, widget, film)
    on_disk(viewer, widget, film)
    of_a_folder(viewer, widget, film)
    viewer.close()


def lazily(viewer, widget, film):
    """Look into a stack that is far too large to be computed."""
    planes = da.from_array(np.asarray(film.data), chunks=(1, *film.data.shape[1:]))
    large = viewer.add_image(
        da.concatenate([planes] * 20000), name="80000 frames", scale=film.scale, units=film.units,
        contrast_limits=film.contrast_limits,
    )  # fmt: skip
    film.visible = viewer.layers[1].visible = False
    widget.image.value = large
    widget.place.pick("lazy")
    foreseen(widget)
    viewer.dims.set_current_step(0, 41235)
    widget.begin()
    wait(90, lambda: "is computed for the plane in view on" in widget.panel.message.text)
    viewer.reset_view()
    take(viewer, "apply-lazy")
    viewer.layers.remove(viewer.layers[f"80000 frames | {MODEL}"])
    viewer.layers.remove(large)


def on_disk(viewer, widget, film):
    """Stop a run over two layers that goes to disk."""
    film.visible = viewer.layers[1].visible = True
    other = viewer.add_image(
        np.concatenate([np.asarray(film.data)] * 3), name="grid 7, square 12, hole 3: defocus series, drift corrected",
        scale=film.scale, units=film.units,
    )  # fmt: skip
    other.visible = False
    viewer.dims.set_current_step(0, 0)
    widget.scope.setCurrentIndex(widget.scope.findData("several"))
    widget.layers.pick([film, other])
    widget.place.pick("disk")
    widget.place.results.line.setText("results")
    foreseen(widget)
    widget.begin()
    run(widget.panel, 0.6)
    widget.panel.stop()
    run(widget.panel)
    wait(3)
    take(viewer, "apply-disk")


def of_a_folder(viewer, widget, film):
    """Segment files that are not open, and look at one of them."""
    frames = Path("micrographs")
    for number, plane in enumerate(np.asarray(film.data), 1):
        write_image(frames / f"frame {number}.tif", plane, film.scale[-1])
    viewer.layers.clear()
    widget.scope.setCurrentIndex(widget.scope.findData("folder"))
    widget.folder.line.setText(str(frames))
    widget.update_estimate()
    widget.begin()
    run(widget.panel)
    viewer.open(frames / "frame 1.tif", plugin="napari")
    viewer.open("results/frame 1.tif", plugin="napari", layer_type="labels")
    wait(2)
    viewer.reset_view()
    take(viewer, "apply-folder")


if __name__ == "__main__":
    with TemporaryDirectory() as home, mock.patch.dict("os.environ", NAPARI_EMSSL_HOME=home), chdir(home):
        main()
