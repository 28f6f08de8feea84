"""Take the pictures of the models dock and the pretrain dock: ``python scripts/screenshots_models.py [SECONDS]``."""

import sys
from tempfile import TemporaryDirectory
from unittest import mock

import napari
from PIL import Image
from screenshots import FOLDER, SIZE, run, save, take, wait

from napari_emssl.gui.job.dock import MODELS, PRETRAIN, open_dock
from napari_emssl.gui.models.package_dialog import PackageDialog
from napari_emssl.gui.plugin.samples import nanoparticles


def pretrain(viewer, seconds):
    """Adapt a generator to the sample images, and take it while it runs."""
    for data, options, kind in nanoparticles():
        if kind == "image":
            viewer.add_image(data, **options)
    widget = open_dock(viewer, PRETRAIN)
    widget.licence.setText("simulated, CC0")
    widget.basic.rows["max_seconds"].set(seconds)
    widget.begin()
    run(widget.panel, 0.6)
    take(viewer, "pretrain-running")
    run(widget.panel)
    return widget.trained.name


def models(viewer, name):
    """Take the zoo with the new generator: its card and, in the light theme, its curves."""
    widget = open_dock(viewer, MODELS)
    wait(30, lambda: name in [row.name for row in widget.table.shown])
    row = next(row for row in widget.table.shown if row.name == name)
    widget.table.choose(*row.key)
    wait(0.5)
    widget.card.page.verticalScrollBar().setValue(widget.card.page.verticalScrollBar().maximum())
    take(viewer, "models")
    viewer.theme = "light"
    widget.tabs.setCurrentIndex(1)
    take(viewer, "models-curves")


def package(viewer):
    """Take the questions that are asked before a model is exported for other programs."""
    viewer.theme = "dark"
    dialog = PackageDialog("stem-denoise", open_dock(viewer, MODELS))
    dialog.folder.setText("/data/stem-denoise-package")
    dialog.authors.setPlainText("Ada Lovelace; University of X; 0000-0002-1825-0097; @ada")
    dialog.licence.setEditText("CC-BY-4.0")
    dialog.show()
    wait(0.8)
    save(Image.fromqpixmap(dialog.grab()).convert("RGB"), "models-package")
    dialog.close()


def main():
    """Open a viewer and walk through both docks."""
    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    wait(1)
    name = pretrain(viewer, float(sys.argv[1]) if len(sys.argv) > 1 else 120.0)
    models(viewer, name)
    package(viewer)
    viewer.close()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as home, mock.patch.dict("os.environ", NAPARI_EMSSL_HOME=home):
        main()
