"""Where the results of a run go: chosen by their size, or by the user, with the folder for those on disk."""

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ..job.dock import hbox
from ..widgets.fields import combo_box
from .destination import default_folder
from .request import DestinationKind

_PLACES: dict[str, DestinationKind | None] = {
    "automatic": None,
    "in memory": "memory",
    "on disk (OME-Zarr)": "disk",
    "when viewed": "lazy",
}
_HINTS = {
    "automatic": "Small results stay in memory, large ones go to disk; the line above Apply says which.",
    "in memory": "Fast, and can be painted on; lost when the viewer is closed unless it is saved.",
    "on disk (OME-Zarr)": "Written plane by plane into a folder; a run that was stopped can be resumed.",
    "when viewed": "The layer appears at once; its planes are computed when you move to them. For large stacks.",
}


class DestinationPicker(QWidget):
    """Combo box of places; folder and replacing are asked for only where something is written.

    Signals
    -------
    changed()
        Another place, folder or answer.

    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = combo_box(_PLACES, _HINTS)
        self.folder_line = QLineEdit()
        self.folder_line.setPlaceholderText(str(default_folder()))
        self.folder_line.setToolTip("Folder for the results; each becomes one OME-Zarr in it.")
        self.browse_button = QPushButton("…")
        self.browse_button.setToolTip("Choose the folder.")
        self.browse_button.clicked.connect(self._browse)
        self.replace = QCheckBox("Replace existing results")
        self.replace.setToolTip("Otherwise unfinished results are resumed, and finished ones are kept.")
        self._row = hbox(self.folder_line, self.browse_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for widget in (self.box, self._row, self.replace):
            layout.addWidget(widget)
        self.box.currentIndexChanged.connect(self.changed)
        self.folder_line.textChanged.connect(self.changed)
        self.replace.toggled.connect(self.changed)
        self.ask_for_folder(False)

    @property
    def wanted(self) -> DestinationKind | None:
        """The place that was asked for; None leaves it open."""
        place: DestinationKind | None = self.box.currentData()
        return place

    @property
    def folder(self) -> Path:
        """The folder for results on disk."""
        text = self.folder_line.text().strip()
        return Path(text).expanduser() if text else default_folder()

    def pick(self, place: DestinationKind | None) -> None:
        """Choose a place."""
        self.box.setCurrentIndex(list(_PLACES.values()).index(place))

    def ask_for_folder(self, asked: bool) -> None:
        """Show or hide what only results on disk need."""
        self._row.setVisible(asked)
        self.replace.setVisible(asked)

    def _browse(self, _: bool = False) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the results", str(self.folder))
        if folder:
            self.folder_line.setText(folder)
