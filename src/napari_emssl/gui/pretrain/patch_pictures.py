"""Small grey pictures side by side, as a pretraining shows them: corrupted, restored, clean."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap, QResizeEvent
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

_LEAST, _MOST = 60, 100
"""Edge of a picture on screen, pixels: small enough for the curves below, large enough to judge."""


class PatchPictures(QWidget):
    """A row of pictures of the same patch, each with its name below; they share the width there is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pictures: dict[str, QPixmap] = {}
        self._frames: list[QLabel] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(2)
        self.hide()

    def show_images(self, images: Mapping[str, NDArray[np.generic]]) -> None:
        """Show scaled images ``(h, w)`` by name: 0 is black, 1 is white."""
        if list(images) != list(self.pictures):
            self._lay_out(list(images))
        self.pictures = {name: QPixmap.fromImage(_grey(image)) for name, image in images.items()}
        self.show()
        self._fit()

    def clear(self) -> None:
        """Show nothing."""
        self.hide()
        self._lay_out([])
        self.pictures = {}

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fill the width."""
        super().resizeEvent(event)
        self._fit()

    def _lay_out(self, names: list[str]) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            item.widget().deleteLater()
        self._frames = []
        for column, name in enumerate(names):
            frame, caption = QLabel(), QLabel(name)
            frame.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            for row, label in enumerate((frame, caption)):
                label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
                self._grid.addWidget(label, row, column)
            self._frames.append(frame)

    def _fit(self) -> None:
        if not self._frames:
            return
        room = self.width() - self._grid.horizontalSpacing() * (len(self._frames) - 1)
        edge = min(max(room // len(self._frames), _LEAST), _MOST)
        keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        for frame, picture in zip(self._frames, self.pictures.values(), strict=False):
            shown = picture.scaled(edge, edge, keep, smooth)
            frame.setPixmap(shown)
            frame.setFixedHeight(shown.height())


def _grey(image: NDArray[np.generic]) -> QImage:
    """Return an image of scaled values as Qt draws it."""
    values = np.ascontiguousarray(np.nan_to_num(np.clip(image, 0, 1)) * 255, np.uint8)
    height, width = values.shape
    return QImage(values.tobytes(), width, height, width, QImage.Format.Format_Grayscale8).copy()
