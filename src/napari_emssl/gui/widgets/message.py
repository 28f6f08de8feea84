"""A message to the user, in the place that it is about."""

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QStyle, QWidget


class MessageLabel(QWidget):
    """A sentence that wraps and can be copied, with a warning sign where there is trouble.

    Parameters
    ----------
    trouble
        Whether the sign stands beside every text, or only where `show_text` says so.
    parent
        Owner in the sense of Qt.

    """

    def __init__(self, trouble: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._trouble = trouble
        self._sign, self._label = QLabel(), QLabel()
        side = 20
        icon = self.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
        self._sign.setPixmap(icon.pixmap(QSize(side, side)))
        self._sign.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._label.setWordWrap(True)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._sign)
        layout.addWidget(self._label, 1)
        self.show_text("")

    def show_text(self, text: str, trouble: bool = False) -> None:
        """Show a text, or nothing when it is empty."""
        self._label.setText(text)
        self._sign.setVisible(trouble or self._trouble)
        self.setVisible(bool(text))
        self.setToolTip("")

    @property
    def text(self) -> str:
        """The whole text."""
        return str(self._label.text())
