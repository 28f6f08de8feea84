"""The docks' part of `same_results.py`: a real viewer whose docks are driven as by hand, and what came of it.

Widgets are found by what stands on them: buttons by their text or tooltip, fields by the label beside them. Where the
wording changes slightly, add it to `WORDS` or `TIPS`. Left out: previews of trainings, which depend on
when they were asked for.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import napari
import numpy as np
import tifffile
from napari.layers import Labels
from qtpy.QtCore import QObject
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QTabBar,
    QTableView,
    QWidget,
)
from same_results_digests import Parts, digest, of_csv, of_layer, of_model, of_path

import napari_emssl as em

PLUGIN = "napari-emssl"
DOCKS = {
    "finetune": "EM SSL Fine-tune",
    "apply": "EM SSL Apply model",
    "particles": "EM SSL Particles",
    "simulate": "EM SSL Simulate",
}
WORDS = {
    "advanced": r"([▸▾] )?(advanced|more) settings",
    "apply": r"apply( model)?",
    "apply to layer": r"apply to (this|the) layer",
    "batch": r"batch( size)?",
    "crystal": r"crystal",
    "device": r"device",
    "dose": r"dose.*",
    "export": r"export( csv)?.*",
    "generator": r"generator|network",
    "image": r"image|layer",
    "images": r"(number of )?images|count",
    "in memory": r"in memory|memory",
    "intensity": r"intensity.*",
    "labels": r"labels|particles",
    "learning task": r"task",
    "measure": r"measure( again| anew)?",
    "model": r"model",
    "name": r"save (it )?as|name",
    "on disk": r"(on )?disk.*",
    "painting": r"paintings?",
    "patch": r"patch.*",
    "pixel size": r"pixel size.*",
    "precision": r"precision|arithmetic",
    "result": r"results?|into",
    "restore": r"restore",
    "segment": r"segment",
    "seed": r"seed",
    "simulate": r"simulate( again| anew)?",
    "size": r"size.*",
    "specimen": r"specimen",
    "start": r"start( again| anew)?|train( again| anew)?",
    "start from": r"start( from)?",
    "steps": r"steps",
    "tile": r"tiles?.*",
    "time": r"time.*",
    "validation": r"validat(ion|e) (interval|every).*",
    "whole layer": r"(whole|entire) (layer|stack)",
}
"""What stands on buttons, tabs, labels and in lists: whole texts, whatever their case, without '&', ':' and '…'."""
TIPS = {
    "new painting": r"(make|new).*labels layer",
    "new regions": r"(make|new).*shapes layer",
    "folder": r"folder (for|of) (the )?results",
}
"""Parts of tooltips, of widgets whose text says too little."""
TRAINING = {
    "steps": 6, "batch": 2, "patch": 64, "validation": 1, "precision": "fp32", "device": "cpu", "seed": 3, "time": 500,
}  # fmt: skip
SMALL = {"device": "cpu", "precision": "fp32", "tile": 64}
CRYSTAL = {
    "crystal": "Au", "specimen": "crystal", "size": 64, "pixel size": 0.02, "dose": 1e6, "images": 2, "seed": 5,
}  # fmt: skip
NM = {"scale": (1, 0.06, 0.06), "units": ("pixel", "nm", "nm")}
PATIENCE_SECONDS, STILL_SECONDS = 300.0, 2.0
FIELDS = (QComboBox, QAbstractSpinBox, QCheckBox, QLineEdit)


def fits(word: str, text: str) -> bool:
    """Whether a text on screen is what a word of the table means; words that are not there stand for themselves."""
    plain = re.sub(r"[&:…]", "", text).strip()
    return re.fullmatch(WORDS.get(word, re.escape(word)), plain, re.IGNORECASE) is not None


def hinted(tip: str, widget: QWidget) -> bool:
    """Whether a widget has the tooltip that is meant."""
    return re.search(TIPS[tip], widget.toolTip(), re.IGNORECASE | re.DOTALL) is not None


def pump(seconds: float = 0.02) -> None:
    """Let Qt work for a moment."""
    QApplication.processEvents()
    time.sleep(seconds)


class Dock:
    """One dock of the plugin, driven by what is seen of it."""

    def __init__(self, viewer: Any, kind: str) -> None:
        self.root: Any = viewer.window.add_plugin_dock_widget(PLUGIN, DOCKS[kind], tabify=True)[0]
        self.root.show()
        self.root.raise_()
        pump(0.2)

    def seen(self, kind: Any, meant: Callable[[Any], bool], what: str) -> Any:
        """Return the first widget of a kind that is meant, one in view rather than one that is hidden."""
        found = [widget for widget in self.root.findChildren(kind) if meant(widget)]
        if not found:
            raise SystemExit(f"'{self.root.windowTitle()}' has no {what}. Its texts: {self.texts()}")
        return min(found, key=lambda widget: not widget.isVisibleTo(self.root))

    def texts(self) -> list[str]:
        """Return what can be read on the dock."""
        labelled = self.root.findChildren(QLabel) + self.root.findChildren(QAbstractButton)
        return [widget.text() for widget in labelled if widget.text() and widget.isVisibleTo(self.root)]

    def button(self, word: str) -> Any:
        """Return the button with a text or a tooltip."""
        meant = (lambda b: hinted(word, b)) if word in TIPS else (lambda b: fits(word, b.text()))
        return self.seen(QAbstractButton, meant, f"button '{word}'")

    def press(self, word: str) -> None:
        """Click a button."""
        self.button(word).click()
        pump()

    def unfold(self, word: str) -> None:
        """Open what is folded away."""
        if not self.button(word).isChecked():
            self.press(word)

    def turn_to(self, word: str) -> None:
        """Bring a tab to the front."""
        for bar in self.root.findChildren(QTabBar):
            for row in range(bar.count()):
                if fits(word, bar.tabText(row)):
                    bar.setCurrentIndex(row)
        pump()

    def fields(self, word: str) -> list[Any]:
        """Return what can be filled in beside a label."""
        label = self.seen(QLabel, lambda each: fits(word, each.text()) and any(beside(each)), f"field '{word}'")
        return [field for widget in beside(label) for field in fields_in(widget)]

    def fill(self, values: Mapping[str, Any]) -> None:
        """Fill fields in, by the words of their labels."""
        for word, value in values.items():
            put(self.fields(word)[0], value)
            pump()

    def write(self, tip: str, text: str) -> None:
        """Write into the line with a tooltip."""
        put(self.seen(QLineEdit, lambda line: hinted(tip, line), f"line '{tip}'"), text)

    def wait(self, there: Callable[[], bool], what: str) -> None:
        """Wait for something to be there."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not there():
            if time.monotonic() > end:
                raise SystemExit(f"Waited in vain for {what}. '{self.root.windowTitle()}' says: {self.texts()}")
            pump()

    def wait_for_layer(self, viewer: Any, name: str, idle: str) -> Any:
        """Wait for a layer and for the button that can be pressed again."""
        self.wait(lambda: name in viewer.layers and self.button(idle).isEnabled(), f"the layer '{name}'")
        return viewer.layers[name]


def beside(label: QLabel) -> list[QWidget]:
    """Return what stands beside a label, in whatever layout holds it."""
    parent = label.parentWidget()
    layouts = [] if parent is None else [parent.layout(), *parent.findChildren(QLayout)]
    holder = next((layout for layout in layouts if layout is not None and layout.indexOf(label) >= 0), None)
    item = None
    if isinstance(holder, QFormLayout):
        item = holder.itemAt(holder.getWidgetPosition(label)[0], QFormLayout.ItemRole.FieldRole)
    elif isinstance(holder, QGridLayout):
        row, column, *_ = holder.getItemPosition(holder.indexOf(label))
        item = holder.itemAtPosition(row, column + 1)
    elif holder is not None:
        item = holder.itemAt(holder.indexOf(label) + 1)
    return [] if item is None else list(widgets_of(item))


def widgets_of(item: Any) -> Iterator[QWidget]:
    """Go through the widgets of an item of a layout that is not empty."""
    if item.widget() is not None:
        yield from [item.widget()] if fields_in(item.widget()) else []
    elif item.layout() is not None:
        for row in range(item.layout().count()):
            yield from widgets_of(item.layout().itemAt(row))


def fields_in(widget: Any) -> list[Any]:
    """Return what can be filled in, from the first on; the line inside a spin box or combo box is part of it."""
    if isinstance(widget, FIELDS):
        return [widget]
    inside = [child for child in widget.findChildren(QWidget) if isinstance(child, FIELDS)]
    return [child for child in inside if not any(isinstance(above, FIELDS) for above in parents(child))]


def parents(widget: QObject) -> Iterator[QObject]:
    """Go up from a widget."""
    while (above := widget.parent()) is not None:
        yield above
        widget = above


def put(field: Any, value: Any) -> None:
    """Give a field a value, as a user would."""
    if isinstance(field, QComboBox):
        choose(field, str(value))
    elif isinstance(field, QCheckBox):
        field.setChecked(value)
    elif isinstance(field, QLineEdit):
        field.setText(value)
        field.textEdited.emit(value)
        field.editingFinished.emit()
    else:
        field.setValue(value)  # type: ignore[attr-defined]


def choose(box: QComboBox, text: str) -> None:
    """Pick the entry of a combo box that is meant; what is not in its list is written where that can be done."""
    rows = [row for row in range(box.count()) if fits(text, box.itemText(row))]
    if rows:
        box.setCurrentIndex(rows[0])
    elif box.isEditable():
        box.setCurrentText(text)
    else:
        raise SystemExit(f"There is no '{text}' among {[box.itemText(row) for row in range(box.count())]}.")


class Docks:
    """A viewer, the folder with the images, and the results."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results = folder, dict[str, Parts]()
        self.viewer = napari.Viewer(show=False)  # a hidden canvas draws nothing: mesa crashes when layers come and go

    def keep(self, name: str, parts: Parts) -> None:
        """Keep a result under a name."""
        self.results[f"dock: {name}"] = parts
        sys.stderr.write(f"  dock: {name}\n")

    def images(self, folder: str) -> Any:
        """Return the simulated images of a folder as one stack."""
        return np.stack([tifffile.imread(path) for path in sorted((self.folder / folder).glob("*.tif"))[:3]])

    def fresh(self, **images: Any) -> None:
        """Show these images and nothing else."""
        self.viewer.layers.clear()
        for name, data in images.items():
            self.viewer.add_image(data, name=name, **NM)
        self.viewer.dims.set_current_step(0, 0)
        pump(0.2)

    def train(self, dock: Dock, name: str, start: str, image: str, **settings: Any) -> None:
        """Train a model in the dock, keep it, and apply it to the layer it was trained on."""
        dock.unfold("advanced")
        dock.fill({"start from": start, **TRAINING, "name": name, **settings})
        dock.press("start")
        dock.wait(lambda: dock.button("start").isEnabled() and is_model(name), f"the model '{name}'")
        path = em.save_model(em.load_model(name), self.folder / f"{name}.safetensors")
        self.keep(f"model '{name}'", of_model(path))
        dock.press("apply to layer")
        layer = dock.wait_for_layer(self.viewer, f"{image} | {name}", "start")
        self.keep(f"'{name}' applied", of_layer(layer))


def is_model(name: str) -> bool:
    """Whether there is a model of this name in the zoo."""
    try:
        return bool(em.load_model(name).weights)
    except em.UserError:
        return False


def segment(docks: Docks) -> None:
    """Paint two kinds of particles and a region, look at the first look, train."""
    viewer, truth = docks.viewer, docks.images("hrtem/instances")[0]
    docks.fresh(film=docks.images("hrtem/images"))
    dock = Dock(viewer, "finetune")
    dock.turn_to("segment")
    dock.press("new painting")
    painting = viewer.layers.selection.active
    painted = np.zeros_like(painting.data)
    painted[0] = np.select([truth == 1, truth == 2, (truth > 2) & (truth < 6)], [1, 2, 1])
    painting.data = painted
    docks.keep("first look", of_layer(still(dock, viewer, "film | preview")))
    dock.press("new regions")
    viewer.layers.selection.active.add_rectangles(np.array([[0.0, 2, 2], [0, 2, 60], [0, 60, 60], [0, 60, 2]]))
    docks.train(dock, "painted", "unet-3-96-w8", "film")


def still(dock: Dock, viewer: Any, name: str) -> Any:
    """Wait for a layer that no longer changes."""
    dock.wait(lambda: name in viewer.layers and np.any(viewer.layers[name].data), f"the layer '{name}'")
    seen, since = "", time.monotonic()
    while time.monotonic() - since < STILL_SECONDS:
        pump(0.1)
        now = digest(np.asarray(viewer.layers[name].data).tobytes())
        seen, since = now, since if now == seen else time.monotonic()
    return viewer.layers[name]


def restore(docks: Docks) -> None:
    """Learn to denoise, and to super-resolve, from a pair of layers."""
    for task, target in {"denoise": "noNoise", "super-resolve": "noNoiseNoBackgroundSuperresolution"}.items():
        docks.fresh(**{"atoms | noisy": docks.images("stem/image"), "atoms | clean": docks.images(f"stem/{target}")})
        dock = Dock(docks.viewer, "finetune")
        dock.turn_to("restore")
        dock.fill({"learning task": task})
        for box, layer in zip(layer_boxes(dock, "atoms | clean"), ("atoms | noisy", "atoms | clean"), strict=False):
            choose(box, layer)
        pump(0.5)
        docks.train(dock, f"dock {task}", "scratch", "atoms | noisy", generator="unet-2-44")


def layer_boxes(dock: Dock, layer: str) -> list[QComboBox]:
    """Return the lists in view that a layer can be picked from, in their order on screen."""
    boxes = [
        box for box in dock.root.findChildren(QComboBox) if box.isVisibleTo(dock.root) and box.findText(layer) >= 0
    ]
    return sorted(boxes, key=lambda box: (box.mapTo(dock.root, box.rect().topLeft()).y() // 20, box.pos().x()))


def apply(docks: Docks) -> None:
    """Apply the painted model on disk and a shipped one in memory."""
    docks.fresh(film=docks.images("hrtem/images"))
    dock = Dock(docks.viewer, "apply")
    dock.unfold("advanced")
    dock.fill({"image": "film", **SMALL, "model": "stem-denoise", "result": "in memory"})
    dock.press("apply")
    docks.keep("apply in memory", of_layer(dock.wait_for_layer(docks.viewer, "film | stem-denoise", "apply")))
    dock.fill({"model": "painted", "result": "on disk"})
    dock.write("folder", str(docks.folder / "on-disk"))
    dock.press("apply")
    docks.keep("apply on disk, layer", of_layer(dock.wait_for_layer(docks.viewer, "film | painted", "apply")))
    docks.keep("apply on disk, file", of_path(docks.folder / "on-disk"))


def particles(docks: Docks) -> None:
    """Measure a mask: the table as it is read, as it is exported, and the numbered layer."""
    docks.fresh(film=docks.images("hrtem/images"))
    mask = docks.viewer.add_labels(docks.images("hrtem/targets"), name="mask", **NM)
    dock = Dock(docks.viewer, "particles")
    dock.fill({"labels": "mask", "intensity": "film", "measure": "whole layer"})
    dock.press("measure")
    table = dock.seen(QTableView, lambda _: True, "table").model()
    dock.wait(lambda: table.rowCount() > 0 and dock.button("export").isVisibleTo(dock.root), "the table")
    numbered = next(layer for layer in docks.viewer.layers if isinstance(layer, Labels) and layer is not mask)
    still(dock, docks.viewer, numbered.name)
    docks.keep("particles, table", read(table))
    docks.keep("particles, layer", of_layer(numbered))
    docks.keep("particles, CSV", exported(dock, docks.folder / "docks.csv"))


def read(table: Any) -> Parts:
    """Return the cells of a table as they are on screen, one part a row."""
    rows = range(table.rowCount())
    return {
        f"row {row}": digest(
            json.dumps([str(table.index(row, column).data()) for column in range(table.columnCount())])
        )
        for row in rows
    }


def exported(dock: Dock, path: Path) -> Parts:
    """Export a table to where the file dialog would have said."""
    asked = QFileDialog.getSaveFileName
    QFileDialog.getSaveFileName = staticmethod(lambda *_, **__: (str(path), ""))
    dock.press("export")
    dock.wait(path.is_file, "the exported table")
    QFileDialog.getSaveFileName = asked
    return of_csv(path)


def simulate(docks: Docks) -> None:
    """Simulate a crystal."""
    docks.fresh()
    dock = Dock(docks.viewer, "simulate")
    dock.fill(CRYSTAL)
    dock.press("simulate")
    dock.wait_for_layer(docks.viewer, "Au | simulated", "simulate")
    for layer in docks.viewer.layers:
        docks.keep(f"simulate, {layer.name}", of_layer(layer))


def demo(docks: Docks) -> None:
    """Do what the demo of the viewer invites to, with fixed steps: train on the painted sample, apply."""
    docks.viewer.layers.clear()
    docks.viewer.open_sample(PLUGIN, "painted-nanoparticles")
    for layer in docks.viewer.layers:
        docks.keep(f"sample, {layer.name}", of_layer(layer))
    docks.viewer.dims.set_current_step(0, 0)
    image, painting = docks.viewer.layers[0], docks.viewer.layers[-1]
    dock = Dock(docks.viewer, "finetune")
    dock.turn_to("segment")
    dock.fill({"image": image.name, "painting": painting.name})
    docks.train(dock, "demo", "unet-4-200", image.name, patch=128)


def main(folder: Path, out: Path) -> None:
    """Drive all docks."""
    docks = Docks(folder)
    for scene in (segment, restore, apply, particles, simulate, demo):
        scene(docks)
    out.write_text(json.dumps(docks.results), encoding="utf-8")
    docks.viewer.close()
    pump(0.5)


if __name__ == "__main__":
    main(Path(sys.argv[2]), Path(sys.argv[3]))
