"""Small squares of a colour, for buttons and tables."""

import numpy as np
from numpy.typing import ArrayLike
from qtpy.QtGui import QColor, QIcon, QPixmap

SWATCH_PX = 14
_NONE = QColor(0, 0, 0, 0)


def swatch(colour: ArrayLike | None) -> QIcon:
    """Return a square of a colour ``(r, g, b, a)`` in [0, 1]; of none where the layer hides the label."""
    pixmap = QPixmap(SWATCH_PX, SWATCH_PX)
    pixmap.fill(QColor.fromRgbF(*(float(part) for part in np.clip(colour, 0, 1))) if colour is not None else _NONE)
    return QIcon(pixmap)
