"""Where the results of a run go: chosen by their size, or by the user, with the folder for those on disk."""

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from ..widgets.fields import combo_box
from ..widgets.folder_line import FolderLine
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
        self.results = FolderLine("Folder for the results")
        self.results.line.setPlaceholderText(str(default_folder()))
        self.results.line.setToolTip("Folder for the results; of each layer an OME-Zarr, of each file a TIFF.")
        self.replace = QCheckBox("Replace existing results")
        self.replace.setToolTip("Otherwise unfinished results are resumed, and finished ones are kept.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for widget in (self.box, self.results, self.replace):
            layout.addWidget(widget)
        self.box.currentIndexChanged.connect(self.changed)
        self.results.changed.connect(self.changed)
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
        return self.results.folder or default_folder()

    def pick(self, place: DestinationKind | None) -> None:
        """Choose a place."""
        self.box.setCurrentIndex(list(_PLACES.values()).index(place))

    def ask_for_folder(self, asked: bool) -> None:
        """Show or hide what only results on disk need."""
        self.results.setVisible(asked)
        self.replace.setVisible(asked)
