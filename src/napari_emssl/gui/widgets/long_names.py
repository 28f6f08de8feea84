"""Names that are longer than the boxes that show them."""

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QToolTip

_FIELD_MARGIN_PX, _ICON_GAP_PX = 2, 6
"""What Qt leaves free around the text of a box, and between its picture and its text."""


class _LongNames(QObject):
    """Ends a name that a box has no room for with an ellipsis, and tells all of it in the tooltip.

    Under a style sheet, as napari has one, Qt cuts the text of a box wherever its field ends.
    """

    def eventFilter(self, watched: QComboBox, event: QEvent) -> bool:
        """Paint a box with what fits of its text; show the whole text above the box's own tooltip."""
        if event.type() == QEvent.Type.Paint and not watched.isEditable():
            _paint(watched)
            return True
        if event.type() == QEvent.Type.ToolTip and shown_text(watched) != watched.currentText():
            _tell(watched, event)
            return True
        return False


_LONG_NAMES = _LongNames()
"""One for all boxes; a filter of Qt does not keep its object alive."""


def end_long_names(box: QComboBox) -> None:
    """Let a box end names that are too long for it with an ellipsis."""
    box.installEventFilter(_LONG_NAMES)


def shown_text(box: QComboBox) -> str:
    """Return what fits of the text of a box."""
    part = QStyle.SubControl.SC_ComboBoxEditField
    field = box.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, _style_option(box), part, box)
    icon = 0 if box.itemIcon(box.currentIndex()).isNull() else box.iconSize().width() + _ICON_GAP_PX
    text: str = box.fontMetrics().elidedText(
        box.currentText(), Qt.TextElideMode.ElideRight, field.width() - icon - _FIELD_MARGIN_PX
    )
    return text


def _style_option(box: QComboBox) -> QStyleOptionComboBox:
    """Return how a box is painted, as Qt itself puts it together."""
    option = QStyleOptionComboBox()
    option.initFrom(box)
    option.editable, option.frame = box.isEditable(), box.hasFrame()
    option.currentText, option.currentIcon = box.currentText(), box.itemIcon(box.currentIndex())
    option.iconSize = box.iconSize()
    return option


def _paint(box: QComboBox) -> None:
    option = _style_option(box)
    option.currentText = shown_text(box)
    painter = QStylePainter(box)
    painter.setPen(box.palette().text().color())
    painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
    painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


def _tell(box: QComboBox, event: QHelpEvent) -> None:
    QToolTip.showText(event.globalPos(), "\n".join(filter(None, (box.currentText(), box.toolTip()))), box)
