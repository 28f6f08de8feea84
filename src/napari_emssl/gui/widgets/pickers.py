"""Combo boxes that pick a layer, a model of the zoo or a device, and keep up with what there is."""

from typing import Any

import napari.layers
from magicgui.widgets import ComboBox
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from ..layers.layers import METADATA_KEY
from .fields import Combo, stay_narrow

_DEVICES = {
    "auto": "A GPU where there is one, else the CPU.",
    "cpu": "The processor.",
    "cuda": "The first NVIDIA (or ROCm) GPU.",
    "cuda:1": "The second NVIDIA GPU.",
    "mps": "The GPU of an Apple computer.",
}


class LayerPicker(ComboBox):
    """A combo box of layers in which the picked layer stays picked when it is renamed or moved."""

    def reset_choices(self, *_: Any) -> None:
        """Read the choices anew; `changed` tells of a pick that had to go."""
        picked = self.get_value()
        with self.changed.blocked():
            super().reset_choices()
            if picked is not None and picked in self.choices:
                self.value = picked
        if self.value is not picked:
            self.changed.emit(self.value)


def layer_picker(viewer: Any, kind: str, none: str = "") -> Any:
    """Return a magicgui combo box of the viewer's layers of a kind (``Image``, ``Labels``), previews left out.

    Where a word for `none` is given, no layer can be picked, too, and is at first.
    """

    kind_of_layer = getattr(napari.layers, kind)

    def choices(_: Any) -> list[Any]:
        return [layer for layer in viewer.layers if isinstance(layer, kind_of_layer) and not is_preview(layer)]

    picker = LayerPicker(choices=choices, nullable=bool(none))
    picker.null_string = none
    stay_narrow(picker.native)
    return picker


def is_preview(layer: Any) -> bool:
    """Whether a layer is the live preview of a running job."""
    return bool(layer.metadata.get(METADATA_KEY, {}).get("preview"))


class DevicePicker(Combo):
    """Where a job shall run."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for row, (name, hint) in enumerate(_DEVICES.items()):
            self.addItem(name)
            self.setItemData(row, hint, Qt.ItemDataRole.ToolTipRole)
        self.setToolTip("Where the network runs. The device in use is shown when the job starts.")
