"""The labels of a painting as a table: colour, label, name, role."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QComboBox, QHeaderView, QTableWidget, QTableWidgetItem

from ...widgets.fields import combo_box
from ...widgets.swatch import SWATCH_PX, swatch
from .classes import ROLES, PaintedClass, Role, default_class, remember, shown_classes
from .painted_values import PaintedValues

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.utils.events import Event

_LABEL, _NAME, _ROLE = range(3)
_MOST_ROWS, _MOST_LABELS = 4, 64
_ARROW_PX = 52
"""What a combo box needs beside its text."""
_ROW_PX = 26
_ROLE_HINTS = {
    "class": "The model learns to find what is painted with this label.",
    "background": "What is painted with this label is background.",
    "ignore": "Nothing is learnt from what is painted with this label.",
}


class ClassTable(QTableWidget):
    """One row for each label that occurs in some Labels layers; names and roles are written into the layers.

    A click on a row selects the brush for that label.

    Signals
    -------
    shown(int)
        The number of labels in the table, whenever the layers were read.
    meant()
        The user has said what a label stands for: a name or a role was written into the layers, which tell nobody.

    """

    shown = Signal(int)
    meant = Signal()

    def __init__(self) -> None:
        super().__init__(0, 3)
        self._layers: tuple[Labels, ...] = ()
        self._values: tuple[int, ...] = ()
        self.horizontalHeader().hide()
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
        header = self.horizontalHeader()
        header.setMinimumSectionSize(30)
        header.setSectionResizeMode(_LABEL, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_ROLE, QHeaderView.ResizeMode.Fixed)
        self.found = PaintedValues(self)
        self.found.changed.connect(self._on_found)
        self.itemChanged.connect(self._on_name)
        self.cellClicked.connect(self._on_click)
        self._fit()

    def watch(self, layers: "Sequence[Labels]") -> None:
        """Show the labels of these layers, the first of which gives the colours."""
        if self._layers == tuple(layers):
            return
        if self._layers:
            self._layers[0].events.colormap.disconnect(self._on_colours)
        self._layers = tuple(layers)
        if self._layers:
            self._layers[0].events.colormap.connect(self._on_colours)
        self.found.watch(self._layers)

    def classes(self) -> tuple[PaintedClass, ...]:
        """Return what the table shows."""
        return shown_classes(self._layers, self._values) if self._layers else ()

    def _on_found(self, values: tuple[int, ...]) -> None:
        """Show these labels, unless nothing is new: a name that is being written must not be lost."""
        values = values[:_MOST_LABELS] if self._layers else ()
        if values != self._values or self._shown() != self.classes():
            self._values = values
            self._fill()
        self.shown.emit(len(values))

    def _on_colours(self, event: "Event | None" = None) -> None:
        self._fill()

    def _fill(self) -> None:
        self.blockSignals(True)
        self.setRowCount(len(self._values))
        for row, painted in enumerate(self.classes()):
            self.setItem(row, _LABEL, self._label_item(painted.value))
            name = QTableWidgetItem(painted.name)
            name.setToolTip(f"{painted.name}\nDouble-click to rename; the name is recorded on the model's card.")
            self.setItem(row, _NAME, name)
            self.setCellWidget(row, _ROLE, self._role_box(painted))
        self.blockSignals(False)
        self._fit()

    def _shown(self) -> tuple[PaintedClass, ...]:
        """Read the table back."""
        return tuple(
            PaintedClass(value, self.item(row, _NAME).text(), self.cellWidget(row, _ROLE).currentText())
            for row, value in enumerate(self._values)
            if row < self.rowCount()
        )

    def _label_item(self, value: int) -> QTableWidgetItem:
        item = QTableWidgetItem(str(value))
        item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
        item.setIcon(swatch(self._layers[0].get_color(value)))
        item.setToolTip(f"Click to paint with label {value}.")
        return item

    def _role_box(self, painted: PaintedClass) -> QComboBox:
        box = combo_box({})
        for row, role in enumerate(ROLES):
            box.addItem(role)
            box.setItemData(row, _ROLE_HINTS[role], Qt.ItemDataRole.ToolTipRole)
        box.setCurrentText(painted.role)
        box.setToolTip(_ROLE_HINTS[painted.role])
        box.currentTextChanged.connect(lambda role: self._on_role(painted.value, box, role))
        return box

    def _on_role(self, value: int, box: QComboBox, role: Role) -> None:
        name = self._row_class(value).name
        remember(self._layers, PaintedClass(value, name, role))
        box.setToolTip(_ROLE_HINTS[role])
        self.meant.emit()

    def _on_name(self, item: QTableWidgetItem) -> None:
        """Take a new name; an empty one brings the first one back."""
        if item.column() != _NAME or item.row() >= len(self._values):
            return
        shown = self._row_class(self._values[item.row()])
        name = item.text().strip() or default_class(self._layers[0], shown.value).name
        if name != shown.name:
            remember(self._layers, PaintedClass(shown.value, name, shown.role))
            self.meant.emit()
        self._fill()

    def _row_class(self, value: int) -> PaintedClass:
        return shown_classes(self._layers, [value])[0]

    def _on_click(self, row: int, column: int) -> None:
        """Select the brush for a label."""
        if column == _LABEL and row < len(self._values):
            self._layers[0].selected_label = self._values[row]

    def _fit(self) -> None:
        """Be as high as the rows need, up to a few, and give the roles the room of the longest one."""
        self.setFixedHeight(2 * self.frameWidth() + min(self.rowCount(), _MOST_ROWS) * _ROW_PX)
        longest = max(self.fontMetrics().horizontalAdvance(role) for role in ROLES)
        self.setColumnWidth(_ROLE, longest + _ARROW_PX)
