"""Combo boxes that pick a layer or a device, and keep up with what there is."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import napari.layers
from magicgui.widgets import ComboBox
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QWidget

from ..layers.layers import own_notes
from ..layers.matching import is_result
from .fields import fit_into_dock

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_DEVICES = {
    "auto": "A GPU if there is one, otherwise the CPU.",
    "cpu": "The processor.",
    "cuda": "The first NVIDIA (or ROCm) GPU.",
    "cuda:1": "The second NVIDIA GPU.",
    "mps": "The GPU of an Apple computer.",
}


class LayerPicker(ComboBox):
    """A combo box of layers in which the picked layer stays picked when it is renamed or moved.

    magicgui's own goes by the texts of its entries, so that it picks the first layer when one is renamed: test
    `test_a_renamed_layer_stays_picked`.

    Parameters
    ----------
    choices
        Called for the layers to offer.
    none
        Word for no layer; where it is empty, there always is one.
    drawn
        Whether a result of a model is never picked by itself, but by the user only: then there may be no layer, too.

    """

    _listed: "list[Layer] | None" = None
    """The layers offered now; None before any were read."""

    def __init__(self, choices: "Callable[[ComboBox], list[Layer]]", none: str = "", drawn: bool = False) -> None:
        self.null_string, self._drawn = none, drawn
        self._offer = choices
        super().__init__(choices=choices, nullable=bool(none))
        fit_into_dock(self.native)

    @property
    def value(self) -> "Layer | None":
        """The picked layer. Docks read the viewer once per turn of the event loop; asked earlier, it is read now."""
        self._catch_up()
        return self.get_value()

    @value.setter
    def value(self, layer: "Layer | None") -> None:
        self._catch_up()
        ComboBox.value.fset(self, layer)

    @property
    def choices(self) -> "tuple[Layer | None, ...]":
        """The layers that can be picked."""
        self._catch_up()
        offered: tuple[Layer | None, ...] = ComboBox.choices.fget(self)
        return offered

    @choices.setter
    def choices(self, choices: object) -> None:
        ComboBox.choices.fset(self, choices)

    def reset_choices(self, *_: object) -> None:
        """Read the choices again; `changed` is emitted when the picked layer is gone."""
        picked, self._listed = self.get_value(), self._offer(self)
        with self.changed.blocked():
            super().reset_choices()
            self._pick_again(picked)
        if self.get_value() is not picked:
            self.changed.emit(self.get_value())

    def _pick_again(self, picked: "Layer | None") -> None:
        """Pick what was picked; where it is gone, the first layer that is no result of a model, if there is one."""
        listed = self._listed or []
        if picked in listed:
            self.value = picked
        elif listed and not self.null_string:
            own = next((layer for layer in listed if not is_result(layer)), None)
            if own is None and self._drawn:
                self.native.setCurrentIndex(-1)
            else:
                self.value = own or self.get_value()

    def _catch_up(self) -> None:
        if self._listed is not None and self._listed != self._offer(self):
            self.reset_choices()


def layer_picker(
    viewer: "Viewer",
    kind: str,
    none: str = "",
    leave_out: "Callable[[Layer], bool]" = lambda layer: False,
    drawn: bool = False,
) -> LayerPicker:
    """Return a magicgui combo box of the viewer's layers of a kind, previews of running jobs left out.

    Parameters
    ----------
    viewer
        The viewer with the layers.
    kind
        ``Image``, ``Labels`` or ``Shapes``.
    none
        Word for no layer; where it is given, no layer can be picked, too, and is at first.
    leave_out
        Tells which other layers are left out.
    drawn
        Whether a result of a model is picked by the user only.

    """
    kind_of_layer = getattr(napari.layers, kind)

    def choices(_: ComboBox) -> "list[Layer]":
        layers = [layer for layer in viewer.layers if isinstance(layer, kind_of_layer)]
        return [layer for layer in layers if not is_preview(layer) and not leave_out(layer)]

    return LayerPicker(choices, none, drawn)


def is_preview(layer: "Layer") -> bool:
    """Whether a layer is the live preview of a running job."""
    return bool(own_notes(layer).get("preview"))


class DevicePicker(QComboBox):
    """Where a job should run."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for row, (name, hint) in enumerate(_DEVICES.items()):
            self.addItem(name)
            self.setItemData(row, hint, Qt.ItemDataRole.ToolTipRole)
        self.setToolTip("Where the network runs. The device in use is shown when the job starts.")
        fit_into_dock(self)
