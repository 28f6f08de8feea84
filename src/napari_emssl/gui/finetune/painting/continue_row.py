"""An offer to continue a painting of the image that was saved earlier."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from ....errors import UserError
from ...layers.layers import brush_size, new_painting
from ...layers.matching import shape_of
from ...threads.newest import NewestWins
from .saved_paintings import SavedPainting, saved_paintings, shapes_of

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

_Question = tuple[str, tuple[int, ...]]


class ContinueRow(QWidget):
    """Says which painting there is, and opens it; hidden where there is none.

    Parameters
    ----------
    viewer
        Gets the layers.

    Signals
    -------
    opened(object, object)
        The painting, and the Shapes layer of its regions or None.
    reported(str, bool)
        A sentence for the user, and whether something is wrong.

    """

    opened = Signal(object, object)
    reported = Signal(str, bool)

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self._image: Image | None = None
        self.saved: SavedPainting | None = None
        self.text, self.button = QLabel(), QPushButton("Continue")
        self.text.setWordWrap(True)
        self.button.setToolTip("Open this painting, with its classes and regions, and continue it.")
        self.button.clicked.connect(self.open)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.text, 1)
        row.addWidget(self.button)
        self._search = NewestWins[_Question, list[SavedPainting]](_search, parent=self)
        self._search.answered.connect(self._on_found)
        self.hide()

    def look_for(self, image: "Image | None", painted: bool) -> None:
        """Look for paintings of an image, in a thread.

        Parameters
        ----------
        image
            The image that is picked.
        painted
            Whether there is a painting of it already: nothing is offered then.

        """
        self.hide()
        self._image, self.saved = image, None
        if image is None or painted:
            self._search.drop()
        else:
            self._search.ask((str(image.name), shape_of(image)))

    def open(self) -> None:
        """Open the painting, or say why that is not possible."""
        if self._image is None or self.saved is None:
            return
        try:
            labels, (_, where) = self.saved.labels(), new_painting(self._image)
        except UserError as error:
            self.reported.emit(str(error), True)
            return
        painting = self._viewer.add_labels(labels, **where)
        painting.brush_size = brush_size(labels.shape)
        self.saved.describe_in(painting)
        shapes = None
        if self.saved.regions:
            polygons, options = shapes_of(self.saved.regions, self._image)
            shapes = self._viewer.add_shapes(polygons, **options)
        self.hide()
        self.opened.emit(painting, shapes)

    def on_close(self) -> None:
        """Look for nothing any more."""
        self._search.drop()

    def _on_found(self, found: list[SavedPainting]) -> None:
        if found:
            self.saved = found[0]
            self.text.setText(f"Painted on {found[0].written:%d %B %Y, %H:%M}.")
            self.show()


def _search(question: _Question) -> Iterator[list[SavedPainting]]:
    yield saved_paintings(*question)
