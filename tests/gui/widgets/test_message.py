"""Messages: long words wrap and are copied whole, and trouble comes into view."""

import pytest
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QApplication, QScrollArea, QVBoxLayout, QWidget

from napari_emssl.gui.widgets.message import MessageLabel

pytestmark = pytest.mark.gui
DIGITS = "0123456789abcdef" * 4


def test_a_checksum_wraps_and_is_copied_whole(qtbot):
    message = MessageLabel()
    qtbot.addWidget(message)
    message.resize(200, 100)
    message.show()
    message.show_text(f"SHA-256 {DIGITS}.")
    assert message.text == f"SHA-256 {DIGITS}."
    label = message._label
    assert label.heightForWidth(200) >= 3 * label.fontMetrics().height(), "no digit is cut off"
    label.setSelection(8, len(label.text()) - 8)
    label.copy()
    assert QApplication.clipboard().text() == f"{DIGITS}."


def test_trouble_is_scrolled_into_view_and_other_texts_are_not(qtbot):
    area, body, message = QScrollArea(), QWidget(), MessageLabel()
    qtbot.addWidget(area)
    column, above = QVBoxLayout(body), QWidget()
    above.setFixedHeight(2000)
    column.addWidget(above)
    column.addWidget(message)
    area.setWidgetResizable(True)
    area.setWidget(body)
    area.resize(300, 200)
    area.show()
    message.show_text("Running.")
    qtbot.wait(50)
    assert area.verticalScrollBar().value() == 0
    message.show_text("There is no image. Open one.", trouble=True)
    qtbot.waitUntil(lambda: area.verticalScrollBar().value() > 0)
    assert area.viewport().rect().contains(message.mapTo(area.viewport(), QPoint(2, 2)))
