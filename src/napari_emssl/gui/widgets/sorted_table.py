"""A table to choose one row of: sorts by any column, cannot be edited."""

from collections.abc import Sequence

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

_EMPTY = QModelIndex()


class TitledColumns(QAbstractTableModel):
    """Rows below titles, each of which has a tooltip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.headers: Sequence[tuple[str, str]] = ()
        """Title and tooltip of each column."""

    def columnCount(self, parent: QModelIndex = _EMPTY) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(self.headers)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> str | None:
        """Return the title of a column, or its tooltip.

        Parameters
        ----------
        section
            Number of the column.
        orientation
            Rows have no titles.
        role
            What Qt asks for.

        """
        if orientation != Qt.Orientation.Horizontal:
            return None
        title, tooltip = self.headers[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip
        return title if role == Qt.ItemDataRole.DisplayRole else None


class SortedTable(QTableView):
    """Shows rows through a proxy that sorts them by the values of `UserRole`."""

    def set_rows(self, rows: QAbstractTableModel, proxy: QSortFilterProxyModel, least_rows: int) -> None:
        """Set the table up; as long as no header is clicked, the rows keep their order.

        Parameters
        ----------
        rows
            The model of all rows.
        proxy
            Sorts them, and may filter them.
        least_rows
            How many rows are seen however small the window is.

        """
        proxy.setSortRole(Qt.ItemDataRole.UserRole)
        proxy.setSourceModel(rows)
        self.setModel(proxy)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        line = self.fontMetrics().height() + 6
        self.verticalHeader().setDefaultSectionSize(line)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.setMinimumHeight(line * (least_rows + 3))
