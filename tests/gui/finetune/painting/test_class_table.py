import threading

import numpy as np
import pytest
from napari.layers import Labels

from napari_emssl.gui.finetune.painting.class_table import ClassTable
from napari_emssl.gui.finetune.painting.classes import PaintedClass, given_classes, labels_in, remember

pytestmark = pytest.mark.gui


@pytest.fixture
def table(qtbot):
    table = ClassTable()
    qtbot.addWidget(table)
    return table


@pytest.fixture
def painting():
    data = np.zeros((3, 40, 40), np.uint8)
    data[1, 5:9, 5:9], data[2, 20:24, 5:9] = 1, 3
    return Labels(data, name="film | painting")


def values(table):
    return [painted.value for painted in table.classes()]


def wait_for(qtbot, table, wanted):
    qtbot.waitUntil(lambda: values(table) == wanted and table.rowCount() == len(wanted))


def test_a_row_for_each_label_in_its_colour(qtbot, table, painting):
    table.watch([painting])
    wait_for(qtbot, table, [1, 3])
    assert [table.item(row, 0).text() for row in (0, 1)] == ["1", "3"]
    assert [table.item(row, 1).text() for row in (0, 1)] == ["label 1", "label 3"]
    swatch = table.item(1, 0).icon().pixmap(14, 14).toImage().pixelColor(7, 7)
    np.testing.assert_allclose(swatch.getRgbF()[:3], painting.get_color(3)[:3], atol=0.01)
    painting.colormap = {None: "transparent", 1: "red", 3: "lime"}
    swatch = table.item(1, 0).icon().pixmap(14, 14).toImage().pixelColor(7, 7)
    np.testing.assert_allclose(swatch.getRgbF()[:3], (0, 1, 0), atol=0.01)


def test_the_table_follows_brush_fill_undo_and_new_data(qtbot, table, painting):
    table.watch([painting])
    wait_for(qtbot, table, [1, 3])
    painting.paint((0, 30, 30), 7)
    wait_for(qtbot, table, [1, 3, 7])
    painting.undo()
    wait_for(qtbot, table, [1, 3])
    painting.fill((1, 6, 6), 2)
    wait_for(qtbot, table, [2, 3])
    painting.data = np.zeros((3, 40, 40), np.uint8)
    wait_for(qtbot, table, [])
    painting.data[0, 0, 0] = 9
    painting.refresh()
    wait_for(qtbot, table, [9])


def test_names_and_roles_go_into_every_painting(qtbot, table, painting):
    other = Labels(np.full((5, 5), 1), name="other")
    table.watch([painting, other])
    wait_for(qtbot, table, [1, 3])
    table.item(0, 1).setText("  gold ")
    table.cellWidget(1, 2).setCurrentText("background")
    table.cellWidget(0, 2).setCurrentText("ignore")
    expected = {1: PaintedClass(1, "gold", "ignore"), 3: PaintedClass(3, "label 3", "background")}
    assert given_classes(painting) == given_classes(other) == expected
    table.item(0, 1).setText("")
    assert table.item(0, 1).text() == "label 1"


def test_what_was_said_is_shown_when_the_layer_is_opened_again(qtbot, table, painting):
    remember([painting], PaintedClass(3, "carbon", "background"))
    table.watch([Labels(painting.data, metadata=painting.metadata)])
    wait_for(qtbot, table, [1, 3])
    assert (table.item(1, 1).text(), table.cellWidget(1, 2).currentText()) == ("carbon", "background")


def test_a_name_being_written_survives_the_brush(qtbot, table, painting):
    table.show()
    table.watch([painting])
    wait_for(qtbot, table, [1, 3])
    table.editItem(table.item(0, 1))
    painting.paint((1, 7, 7), 1)
    with qtbot.waitSignal(table.shown):
        painting.refresh()
    assert table.state() == ClassTable.State.EditingState


def test_a_click_takes_the_brush_of_a_label(qtbot, table, painting):
    table.watch([painting])
    wait_for(qtbot, table, [1, 3])
    table.cellClicked.emit(1, 0)
    assert painting.selected_label == 3


def test_layers_that_are_no_longer_watched_are_let_go(qtbot, table, painting):
    table.watch([painting])
    wait_for(qtbot, table, [1, 3])
    table.watch([])
    wait_for(qtbot, table, [])
    painting.paint((0, 30, 30), 7)
    painting.colormap = {None: "transparent", 1: "red"}
    qtbot.wait(400)
    assert values(table) == []


def test_a_slow_layer_is_read_in_a_thread_and_not_all_the_time(qtbot, table, painting, monkeypatch):
    reads, go = [], threading.Event()
    go.set()

    def slow(data, shape):
        reads.append(threading.current_thread())
        go.wait(300)
        return labels_in(data, shape)

    monkeypatch.setattr("napari_emssl.gui.finetune.painting.painted_values.labels_in", slow)
    table.watch([painting])
    wait_for(qtbot, table, [1, 3])
    go.clear()
    for _ in range(40):
        painting.paint((0, 30, 30), 7)
        qtbot.wait(10)
    go.set()
    wait_for(qtbot, table, [1, 3, 7])
    assert threading.main_thread() not in reads
    assert len(reads) <= 3
