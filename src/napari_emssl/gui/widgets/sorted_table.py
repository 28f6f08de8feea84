"""A table to choose one row of: sorts by any column, cannot be edited."""

from qtpy.QtCore import QAbstractTableModel, QSortFilterProxyModel, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView


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
