"""Take pictures of the page Restore and the dock Simulate for docs: ``python scripts/screenshots_restore.py``."""

import os
from tempfile import TemporaryDirectory

import napari
import numpy as np
from screenshots import SIZE, run, take, wait

from napari_emssl.gui.job.dock import FINETUNE, SIMULATE, open_dock
from napari_emssl.gui.plugin.samples import stem_pair

_SECONDS = 120.0
_SHIFT_PX = (4, 2)


def settle(table):
    """Wait until every pair has been looked at."""
    wait(1)
    wait(60, lambda: not table.busy)


def simulate(viewer):
    """A crystal of one's own, with its truth."""
    dock = open_dock(viewer, SIMULATE)
    values = {"crystal": "MoS2", "specimen": "crystal", "pixel_size_nm": 0.015, "dose_per_nm2": 6e6, "layers": 1}
    for name, value in values.items():
        dock.simulated.rows[name].set(value)
    dock.preview()
    run(dock.panel)
    viewer.reset_view()
    take(viewer, "restore-simulated")
    viewer.window.remove_dock_widget(dock)
    viewer.layers.clear()


def restore(viewer):
    """A pair that fits, one that does not, a training, and its result."""
    for array, options, _ in stem_pair():
        viewer.add_image(array, **options)
    dock = open_dock(viewer, FINETUNE)
    page = dock.show_page("Restore")
    noisy, clean = (viewer.layers[f"SrTiO3 | {name}"] for name in ("noisy", "clean"))
    page.table.set_pairs([(noisy, clean)])
    settle(page.table)
    viewer.reset_view()
    take(viewer, "restore-ready")
    moved = viewer.add_image(np.roll(clean.data, _SHIFT_PX, (0, 1)), name="another scan | clean", scale=clean.scale,
                             units=clean.units, visible=False)  # fmt: skip
    page.table.rows[0].clean.value = moved
    settle(page.table)
    take(viewer, "restore-shifted")
    viewer.layers.remove(moved)
    page.table.set_pairs([(noisy, clean)])
    settle(page.table)
    dock.basic.rows["max_seconds"].set(_SECONDS)
    dock.begin()
    run(dock.panel, 0.7)
    take(viewer, "restore-running")
    run(dock.panel)
    dock.apply()
    run(dock.panel)
    viewer.theme = "light"
    take(viewer, "restore-applied-light")


if __name__ == "__main__":
    with TemporaryDirectory() as home:
        os.environ["NAPARI_EMSSL_HOME"] = home
        viewer = napari.Viewer()
        viewer.window.resize(*SIZE)
        simulate(viewer)
        restore(viewer)
        viewer.close()
