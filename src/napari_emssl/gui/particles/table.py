"""The table of particles on screen: sorts by any column, and a click on a row selects the particle."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtWidgets import QWidget

from ...formatting import significant
from ...particles.properties import Columns
from ...particles.table import ParticleTable
from ..widgets.sorted_table import SortedTable, TitledColumns

_LEFT_OUT = ("file", "pixel_size_nm")
_LAST = ("x_px", "y_px")
_ROWS_SEEN = 6
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_UNITS = {"nm": "nm", "nm2": "nm²", "px": "px", "px2": "px²"}
_EMPTY = QModelIndex()
Cell = bool | int | float | str


class ParticleModel(TitledColumns):
    """Columns of a `ParticleTable` with their units in the header; tooltips are their names in the CSV."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: list[list[Cell]] = []

    def show(self, columns: Columns) -> None:
        """Show other rows."""
        self.beginResetModel()
        self.headers = [(column_title(name), name) for name in columns]
        self._columns = [_counts(name, values).tolist() for name, values in columns.items()]
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = _EMPTY) -> int:
        """Return the number of particles."""
        return 0 if parent.isValid() or not self._columns else len(self._columns[0])

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the text of a cell, or its value for sorting."""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.UserRole):
            return None
        value = self._columns[index.column()][index.row()]
        return value if role == Qt.ItemDataRole.UserRole else cell_text(value)


class ParticleView(SortedTable):
    """Shows the particles.

    Signals
    -------
    picked(int)
        The user went to the row of this number in the table, whatever the sorting.

    """

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._sorted = ParticleModel(self), QSortFilterProxyModel(self)
        self.set_rows(self._model, self._sorted, _ROWS_SEEN)
        self.selectionModel().currentRowChanged.connect(self._on_row)

    def show_table(self, table: ParticleTable, stack: bool) -> None:
        """Show these particles; the row that was chosen is not kept."""
        left_out = (*_LEFT_OUT, *(() if stack else ("plane",)), *(() if _several(table, "class") else ("class",)))
        columns = {name: values for name, values in table.outside().items() if name not in left_out}
        columns |= {name: columns.pop(name) for name in _LAST}
        before = [self._model.headerData(i, Qt.Orientation.Horizontal) for i in range(self._model.columnCount())]
        self._quietly(lambda: self._model.show(columns))
        if before != [column_title(name) for name in columns]:
            self._fit(columns)

    def choose(self, row: int) -> None:
        """Show and mark a row of the table without announcing it."""
        index = self._sorted.mapFromSource(self._model.index(row, 0))
        self._quietly(lambda: self.setCurrentIndex(index))
        self.scrollTo(index)

    def _fit(self, columns: Columns) -> None:
        """Make each column wide enough for its title and for usual numbers."""
        metrics = self.horizontalHeader().fontMetrics()
        for number, name in enumerate(columns):
            lines = [*column_title(name).split("\n"), "0000.0"]
            self.setColumnWidth(number, max(metrics.horizontalAdvance(line) for line in lines) + 18)

    def _quietly(self, action: Callable[[], None]) -> None:
        self.selectionModel().blockSignals(True)
        try:
            action()
        finally:
            self.selectionModel().blockSignals(False)
        self.viewport().update()

    def _on_row(self, current: QModelIndex, _before: QModelIndex) -> None:
        if current.isValid():
            self.picked.emit(self._sorted.mapToSource(current).row())


def column_title(name: str) -> str:
    """Return the title of a column: ``feret_max_nm`` -> ``Feret max`` over ``nm``."""
    words = name.split("_")
    unit = _UNITS.get(words[-1], "")
    text = " ".join(words[:-1] if unit else words)
    text = {"equivalent diameter": "diameter", "touches border": "at border", "label": "no."}.get(text, text)
    return f"{text.replace('feret', 'Feret')}\n{unit}"


def cell_text(value: Cell) -> str:
    """Write a value with as many digits as are useful."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return "" if np.isnan(value) else significant(value)
    return str(value)


def _counts(name: str, values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return areas in px, which are numbers of pixels, as whole numbers; everything else as it is."""
    if not name.endswith("_px2") or not (np.rint(values) == values).all():
        return values
    return values.astype(np.int64)


def _several(table: ParticleTable, name: str) -> bool:
    return name in table.columns and len(np.unique(table.columns[name])) > 1
