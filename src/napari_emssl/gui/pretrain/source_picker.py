"""Where unlabelled images come from: open layers, a folder, or files."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ...data.images.readers import READERS
from ..job.dock import hbox
from ..widgets.fields import combo_box
from ..widgets.layer_list import LayerList

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

Kind = Literal["open layers", "a folder", "files"]
_HINTS: dict[Kind, str] = {
    "open layers": "Images that are open in the viewer; large ones stay where they are and are read plane by plane.",
    "a folder": "All images in a folder and its subfolders; the published data sets are recognised.",
    "files": "Any number of image files.",
}
_FILES = f"Images ({' '.join(f'*{suffix}' for suffix in READERS)});;All files (*)"


class SourcePicker(QWidget):
    """Combo box of kinds, and below it the ticked layers or the chosen paths.

    Signals
    -------
    changed()
        Something else would be learnt from.

    """

    changed = Signal()

    def __init__(self, viewer: "Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = combo_box({str(kind): kind for kind in _HINTS}, {str(kind): hint for kind, hint in _HINTS.items()})
        self.layers = LayerList(viewer)
        self.line = QLineEdit()
        self.line.setReadOnly(True)
        self.line.setPlaceholderText("nothing chosen yet")
        self.button = QPushButton("Choose …")
        self.button.clicked.connect(self._ask)
        self._row = hbox(self.line, self.button)
        self._chosen: dict[str, list[Path]] = {kind: [] for kind in get_args(Kind)}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for widget in (self.box, self.layers, self._row):
            layout.addWidget(widget)
        self.box.currentIndexChanged.connect(self._on_kind)
        self.layers.ticked.connect(self.changed)
        self._on_kind()

    @property
    def kind(self) -> Kind:
        """Where the images come from."""
        kinds: tuple[Kind, ...] = get_args(Kind)
        return kinds[int(self.box.currentIndex())]

    @property
    def picked_layers(self) -> "list[Layer]":
        """The ticked layers; none where files are learnt from."""
        return self.layers.picked() if self.kind == "open layers" else []

    @property
    def paths(self) -> list[Path]:
        """The chosen folder or files; none where layers are learnt from."""
        return self._chosen[self.kind]

    @property
    def title(self) -> str:
        """A word for what is learnt from: the name of the first layer, file or folder."""
        names = [layer.name for layer in self.picked_layers] + [path.stem for path in self.paths]
        return names[0] if names else ""

    def refresh(self) -> None:
        """Read the viewer's layers again."""
        self.layers.refresh()

    def choose(self, kind: Kind, paths: list[Path]) -> None:
        """Learn from this folder, or these files."""
        self._chosen[kind] = paths
        self.box.setCurrentIndex(get_args(Kind).index(kind))
        self._on_kind()

    def _on_kind(self, _: int = 0) -> None:
        of_layers = self.kind == "open layers"
        self.layers.setVisible(of_layers)
        self._row.setVisible(not of_layers)
        self.box.setToolTip(_HINTS[self.kind])
        count = len(self.paths)
        self.line.setText(str(self.paths[0]) if count == 1 else f"{count} files" if count else "")
        self.line.setToolTip("\n".join(map(str, self.paths[:20])) or _HINTS[self.kind])
        self.changed.emit()

    def _ask(self) -> None:
        if self.kind == "a folder":
            folder = QFileDialog.getExistingDirectory(self, "Learn from a folder of images")
            paths = [folder] if folder else []
        else:
            paths, _ = QFileDialog.getOpenFileNames(self, "Learn from image files", "", _FILES)
        if paths:
            self.choose(self.kind, [Path(path) for path in paths])
