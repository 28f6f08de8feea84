"""A list of the viewer's images in which several can be ticked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import napari.layers
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

from ..layers.layers import METADATA_KEY

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_ROWS = 4


class LayerList(QListWidget):
    """Images of the viewer with a tick before each; results and previews are left out.

    Signals
    -------
    ticked()
        Another set of layers.

    """

    ticked = Signal()

    def __init__(self, viewer: "Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Layer] = []
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemChanged.connect(self.ticked)

    def refresh(self) -> None:
        """Read the viewer's layers again; what is ticked stays ticked."""
        ticked = self._ticked()
        self.blockSignals(True)
        self.clear()
        self._layers = self._sources()
        for layer in self._layers:
            item = QListWidgetItem(layer.name, self)
            item.setToolTip(layer.name)
            item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
            item.setCheckState(Qt.CheckState.Checked if layer in ticked else Qt.CheckState.Unchecked)
        self.blockSignals(False)
        rows = min(max(self.count(), 1), _ROWS)
        self.setFixedHeight(rows * max(self.sizeHintForRow(0), self.fontMetrics().height() + 4) + 6)

    def picked(self) -> "list[Layer]":
        """Return the ticked layers, in the order of the viewer."""
        self._catch_up()
        return self._ticked()

    def _sources(self) -> "list[Layer]":
        return [layer for layer in self._viewer.layers if _is_source(layer)]

    def _catch_up(self) -> None:
        """Docks read the layers once per turn of the event loop; asked earlier, it reads them itself."""
        if self._layers != self._sources():
            self.refresh()

    def _ticked(self) -> "list[Layer]":
        states = (self.item(row).checkState() for row in range(self.count()))
        return [layer for layer, state in zip(self._layers, states, strict=True) if state == Qt.CheckState.Checked]

    def pick(self, layers: "Sequence[Layer]") -> None:
        """Tick these layers and no others."""
        self._catch_up()
        for row, layer in enumerate(self._layers):
            self.item(row).setCheckState(Qt.CheckState.Checked if layer in layers else Qt.CheckState.Unchecked)


def _is_source(layer: "Layer") -> bool:
    return isinstance(layer, napari.layers.Image) and METADATA_KEY not in layer.metadata
