"""Names that do not fit into their box, under the style of the viewer."""

import pytest
from qtpy.QtCore import QEvent, QPoint
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QApplication, QToolTip

from napari_emssl.gui.widgets.fields import combo_box
from napari_emssl.gui.widgets.long_names import shown_text

pytestmark = pytest.mark.gui
LONG = "HAADF_lamella 7_overview_0042 | my model of yesterday"
STYLE = "QComboBox { background: #414851; color: #f0f1f2; border-radius: 2px; padding: 3px 10px 3px 8px; }"


@pytest.fixture
def box(qtbot):
    def make(*names):
        box = combo_box(dict.fromkeys(names))
        box.setStyleSheet(STYLE)
        qtbot.addWidget(box)
        box.resize(150, 24)
        box.show()
        return box

    return make


def told(box):
    at = box.rect().center()
    QApplication.sendEvent(box, QHelpEvent(QEvent.Type.ToolTip, at, box.mapToGlobal(QPoint(at))))
    return QToolTip.text()


def test_a_long_name_ends_with_an_ellipsis_and_is_told_whole(box):
    long = box(LONG, "film")
    long.setToolTip("The image to learn from.")
    assert shown_text(long).endswith("…")
    assert LONG.startswith(shown_text(long)[:-1])
    assert long.grab().toImage() == box(shown_text(long)).grab().toImage(), "that is what is painted"
    assert told(long) == f"{LONG}\nThe image to learn from."
    long.resize(900, 24)
    assert shown_text(long) == LONG


def test_a_short_name_is_painted_and_told_as_qt_does_it(box):
    short = box("film", LONG)
    short.setToolTip("The image to learn from.")
    assert shown_text(short) == "film"
    assert told(short) == "The image to learn from."
