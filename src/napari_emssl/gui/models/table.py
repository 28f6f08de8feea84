"""The table of models on screen: sorts by any column, filtered by task and by words."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from qtpy.QtCore import QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtGui import QIcon, QResizeEvent
from qtpy.QtWidgets import QStyle, QWidget

from ..widgets.sorted_table import SortedTable, TitledColumns
from .rows import ZooRow

_EMPTY = QModelIndex()
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_ROWS_SEEN = 7
_LEAST_PX, _MOST_PX = 36, 168
Key = tuple[str, str]
Cell = str | int


class _Column(NamedTuple):
    title: str
    tooltip: str
    value: Callable[[ZooRow], Cell]
    """What the column sorts by."""
    text: Callable[[Cell], str] = str


def _count(value: Cell) -> str:
    """Write a large number in short: 8069 -> 8.07 k; 0 means unknown."""
    count = int(value)
    for limit, sign in ((1e6, "M"), (1e3, "k")):
        if count >= limit:
            return f"{count / limit:.3g} {sign}"
    return str(count or "")


COLUMNS = (
    _Column("name", "Name to pick it by; \u2193 has yet to be downloaded.", lambda row: row.name),
    _Column("task", "What it does; a generator has learnt to reconstruct, and is a start for fine-tuning.",
            lambda row: row.task),
    _Column("from", "shipped with the program, own, remote (to be downloaded), or damaged.", lambda row: row.origin),
    _Column("field\npx", "Receptive field: the edge of the square that decides one pixel of the result.",
            lambda row: row.receptive_field or 0, lambda value: str(value or "")),
    _Column("size\nMB", "Size of the file.", lambda row: row.bytes, lambda value: f"{int(value) / 1e6:.2f}"),
    _Column("parameters", "Number of trained parameters.", lambda row: row.parameters or 0, _count),
    _Column("trained", "Day of its last training.", lambda row: row.date),
    _Column("network", "The network, and \u00d7 its width where that is not the usual one.", lambda row: row.network),
)  # fmt: skip
_SIGNS = {"remote": "\u2193 "}


class ModelTable(TitledColumns):
    """Rows of models."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.headers = [(column.title, column.tooltip) for column in COLUMNS]
        self.rows: Sequence[ZooRow] = ()
        self.icon: QIcon | None = None
        """Sign of a damaged file."""

    def show_rows(self, rows: Sequence[ZooRow]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = _EMPTY) -> int:
        """Return the number of models."""
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the text of a cell, its value for sorting, a sign for what is not here, the whole name as tooltip."""
        row, column = self.rows[index.row()], COLUMNS[index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                sign = _SIGNS.get(row.origin, "") if index.column() == 0 else ""
                return sign + column.text(column.value(row))
            case Qt.ItemDataRole.UserRole:
                value = column.value(row)
                return value.casefold() if isinstance(value, str) else value
            case Qt.ItemDataRole.TextAlignmentRole:
                return _RIGHT if isinstance(column.value(row), int) else _LEFT
            case Qt.ItemDataRole.DecorationRole:
                return self.icon if row.trouble and index.column() == 0 else None
            case Qt.ItemDataRole.ToolTipRole:
                return row.trouble or (row.name if index.column() == 0 else None)
        return None


class _Filter(QSortFilterProxyModel):
    """Lets through what has the task and all words."""

    task = ""
    words: tuple[str, ...] = ()

    def filterAcceptsRow(self, source_row: int, _parent: QModelIndex) -> bool:
        """Whether a row is shown."""
        row = self.sourceModel().rows[source_row]
        return self.task in ("", row.task) and all(word in row.search_text for word in self.words)


class ModelView(SortedTable):
    """Shows the models.

    Signals
    -------
    picked(object)
        Another row, a `ZooRow`, is chosen; None when no row is.

    """

    picked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._sorted = ModelTable(self), _Filter(self)
        self._wanted: Key | None = None
        self._model.icon = self.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
        self.set_rows(self._model, self._sorted, _ROWS_SEEN)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.selectionModel().currentRowChanged.connect(self._on_row)

    @property
    def row(self) -> ZooRow | None:
        """The chosen model."""
        index = self._sorted.mapToSource(self.currentIndex())
        return self._model.rows[index.row()] if index.isValid() else None

    @property
    def shown(self) -> list[ZooRow]:
        """The models that pass the filter, in the order on screen."""
        indices = (self._sorted.mapToSource(self._sorted.index(n, 0)) for n in range(self._sorted.rowCount()))
        return [self._model.rows[index.row()] for index in indices]

    def show_rows(self, rows: Sequence[ZooRow]) -> None:
        """Show other rows; the model that was chosen stays chosen, in its new state, or the first one is."""
        before = self.row
        self.selectionModel().blockSignals(True)
        self._model.show_rows(rows)
        self._fit()
        self.selectionModel().blockSignals(False)
        keys = [key for key in (self._wanted, before.key if before else None) if key is not None]
        if not any(self.choose(*key) for key in keys):
            self._choose_first()
        self.viewport().update()

    def filter(self, task: str, text: str) -> None:
        """Show the models of a task ("" for all) in which every word of a text occurs."""
        self._sorted.task, self._sorted.words = task, tuple(text.casefold().split())
        self._sorted.invalidate()
        if not self.currentIndex().isValid():
            self._choose_first()

    def want(self, where: str, name: str) -> None:
        """Choose a model as soon as it is read."""
        self._wanted = (where, name)
        self.choose(where, name)

    def choose(self, where: str, name: str) -> bool:
        """Choose a model by its key; False when it is not shown."""
        for number, row in enumerate(self._model.rows):
            index = self._sorted.mapFromSource(self._model.index(number, 0))
            if row.key == (where, name) and index.isValid():
                self._wanted = None if self._wanted == row.key else self._wanted
                self.setCurrentIndex(index)
                self.scrollTo(index)
                return True
        return False

    def _choose_first(self) -> None:
        if self._sorted.rowCount():
            self.setCurrentIndex(self._sorted.index(0, 0))
        else:
            self.picked.emit(None)

    def _fit(self) -> None:
        """Make columns as wide as their texts, long names less so that most columns stay in view; the user may drag."""
        metrics = self.fontMetrics()
        for number, column in enumerate(COLUMNS):
            texts = [column.text(column.value(row)) for row in self._model.rows] + column.title.split("\n")
            width = max(metrics.horizontalAdvance(text) for text in texts) + 14
            self.setColumnWidth(number, min(max(width, _LEAST_PX), _MOST_PX))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the chosen row in view."""
        super().resizeEvent(event)
        if self.currentIndex().isValid():
            self.scrollTo(self.currentIndex())

    def _on_row(self, _current: QModelIndex, _before: QModelIndex) -> None:
        self.picked.emit(self.row)
