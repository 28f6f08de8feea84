"""More images to learn from: rows of an image and its painting, below the first pair."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ...job.dock import hbox
from ...layers.matching import painting_of
from ...widgets.pickers import layer_picker

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels
    from napari.utils.events import Event
    from napari.viewer import Viewer


class ImageRow(QWidget):
    """One more image, its painting, and a button that takes them away.

    Signals
    -------
    changed()
        Another image or painting was picked.
    removed()
        The user wants the row gone.

    """

    changed = Signal()
    removed = Signal()

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self.image = layer_picker(viewer, "Image")
        self.painting = layer_picker(viewer, "Labels", drawn=True)
        self.image.native.setToolTip("Another image, or stack, with paint on it.")
        self.painting.native.setToolTip("The Labels layer painted on this image.")
        self.remove_button = QToolButton()
        self.remove_button.setText("×")
        self.remove_button.setToolTip("Do not learn from this image.")
        self.remove_button.clicked.connect(self.removed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 4)
        column.setSpacing(2)
        column.addWidget(hbox(self.image.native, self.remove_button))
        column.addWidget(self.painting.native)
        self.image.changed.connect(lambda _: self._on_image())
        self.painting.changed.connect(lambda _: self.changed.emit())

    def reset_choices(self, event: "Event | None" = None) -> None:
        """Read the viewer's layers again."""
        self.image.reset_choices(event)
        self.painting.reset_choices(event)

    def pick(self, image: "ImageLayer", painting: "Labels | None") -> None:
        """Pick a pair."""
        self.image.value = image
        self.painting.value = painting

    @property
    def pair(self) -> "tuple[ImageLayer | None, Labels | None]":
        """The image layer and the Labels layer."""
        return self.image.value, self.painting.value

    def _on_image(self) -> None:
        own = painting_of(self.image.value, self.painting.choices)
        if own is not None:
            self.painting.value = own
        self.changed.emit()


class ImageList(QWidget):
    """More pairs of image and painting; none at first.

    Signals
    -------
    changed()
        A pair came, went or is another one.

    """

    changed = Signal()

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self.rows: list[ImageRow] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(0)

    def pairs(self) -> "list[tuple[ImageLayer | None, Labels | None]]":
        """Return the pairs, in order; those whose image is gone go first."""
        self._drop_gone()
        return [row.pair for row in self.rows]

    def reset_choices(self, event: "Event | None" = None) -> None:
        """Read the viewer's layers again; a row whose image is gone goes, too."""
        self._drop_gone()
        for row in self.rows:
            row.reset_choices(event)

    def add(self, image: "ImageLayer", painting: "Labels | None") -> ImageRow:
        """Add a pair."""
        row = ImageRow(self._viewer)
        row.reset_choices()
        row.pick(image, painting)
        row.changed.connect(self.changed)
        row.removed.connect(lambda: self.remove(row))
        self.rows.append(row)
        self.column.addWidget(row)
        self.changed.emit()
        return row

    def add_next(self, images: "Sequence[ImageLayer]", paintings: "Iterable[Labels]") -> bool:
        """Add the first of some images that has a painting, or the first one at all.

        Parameters
        ----------
        images
            Those that can be added.
        paintings
            The Labels layers among which theirs are.

        Returns
        -------
        bool
            Whether there was one.

        """
        found = [(image, painting_of(image, paintings)) for image in images]
        for image, painting in [pair for pair in found if pair[1] is not None] or found[:1]:
            self.add(image, painting)
            return True
        return False

    def _drop_gone(self) -> None:
        """Remove rows whose image is gone, before their pickers see that and pick another."""
        for row in list(self.rows):
            image = row.image.get_value()
            if image is not None and image not in self._viewer.layers:
                self.remove(row)

    def remove(self, row: ImageRow) -> None:
        """Take a pair away."""
        self.rows.remove(row)
        row.setParent(None)
        row.deleteLater()
        self.changed.emit()
