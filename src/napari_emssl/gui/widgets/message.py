"""A message to the user, in the place that it is about."""

import re

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtGui import QContextMenuEvent, QGuiApplication, QKeyEvent, QKeySequence
from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QScrollArea, QSizePolicy, QStyle, QWidget

_JOINT = "\u200b"
"""Of no width: a line may end there."""
_PIECE = re.compile(r"\S{24}(?=\S)")


class _WrappedLabel(QLabel):
    """A text whose lines may end within a word that is longer than they are, a checksum say; it is copied as it was."""

    def show_text(self, text: str) -> None:
        """Show a text."""
        self.setText(_PIECE.sub(lambda piece: piece[0] + _JOINT, text))

    @property
    def whole(self) -> str:
        """The text as it was given."""
        return str(self.text()).replace(_JOINT, "")

    def copy(self) -> None:
        """Copy what is selected."""
        QGuiApplication.clipboard().setText(self.selectedText().replace(_JOINT, "").replace("\u2029", "\n"))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy by the usual key."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer to copy."""
        menu = QMenu(self)
        menu.addAction("Copy", self.copy).setEnabled(self.hasSelectedText())
        menu.exec(event.globalPos())


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
        self._sign, self._label = QLabel(), _WrappedLabel()
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
        self._turn = QTimer(self, singleShot=True, interval=0, timeout=self._come_into_view)
        self.show_text("")

    def show_text(self, text: str, trouble: bool = False) -> None:
        """Show a text, or nothing when it is empty; trouble is scrolled into view."""
        self._label.show_text(text)
        self._sign.setVisible(trouble or self._trouble)
        self.setVisible(bool(text))
        self.setToolTip("")
        if trouble and text:
            self._turn.start()  # when it has its place

    def _come_into_view(self) -> None:
        area = self.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if area is not None and self.isVisible():
            area.ensureWidgetVisible(self)

    @property
    def text(self) -> str:
        """The whole text."""
        return self._label.whole
