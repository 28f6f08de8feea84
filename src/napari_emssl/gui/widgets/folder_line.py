"""A line for a folder, with a button that asks for it."""

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget


class FolderLine(QWidget):
    """The path of a folder, typed or chosen.

    Parameters
    ----------
    title
        Of the dialog that asks for the folder.

    Signals
    -------
    changed()
        Another folder.

    """

    changed = Signal()

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self.line = QLineEdit()
        self.button = QPushButton("…")
        self.button.setToolTip("Choose the folder.")
        self.button.clicked.connect(self._browse)
        self.line.textChanged.connect(lambda _: self.changed.emit())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line)
        layout.addWidget(self.button)

    @property
    def folder(self) -> Path | None:
        """The folder; None where nothing stands in the line."""
        text = self.line.text().strip()
        return Path(text).expanduser() if text else None

    def _browse(self, _: bool = False) -> None:
        folder = QFileDialog.getExistingDirectory(self, self._title, str(self.folder or ""))
        if folder:
            self.line.setText(folder)
