import numpy as np
import pytest
from napari.layers import Labels

from napari_emssl.gui.finetune.painting.brushes import label_of, take_brush
from napari_emssl.gui.finetune.painting.classes import PaintedClass, given_classes, remember
from napari_emssl.gui.job.dock import FINETUNE, open_dock


def test_two_brushes_have_labels_of_their_own_and_one_is_background():
    painting = Labels(np.zeros((8, 8), np.uint8))
    take_brush(painting, "particle")
    assert (painting.mode, painting.selected_label, given_classes(painting)) == ("paint", 1, {})
    take_brush(painting, "not particle")
    assert painting.selected_label == 2
    assert given_classes(painting)[2] == PaintedClass(2, "not particle", "background")


def test_labels_that_have_a_meaning_keep_it():
    painting = Labels(np.zeros((8, 8), np.uint8))
    remember([painting], PaintedClass(1, "film", "background"))
    remember([painting], PaintedClass(2, "gold", "class"))
    assert (label_of(painting, "particle"), label_of(painting, "not particle")) == (2, 1)
    remember([painting], PaintedClass(1, "carbon", "class"))
    assert label_of(painting, "not particle") == 3


def test_a_painted_label_that_nobody_has_named_stays_a_class():
    painting = Labels(np.zeros((8, 8), np.uint8))
    painting.data[:2], painting.data[2:4], painting.data[4:6] = 1, 2, 3
    take_brush(painting, "not particle", {1, 2, 3})
    assert painting.selected_label == 4
    assert {label: painted.role for label, painted in given_classes(painting).items()} == {4: "background"}
    assert label_of(painting, "particle", {1, 2, 3, 4}) == 1


@pytest.mark.gui
def test_the_colours_of_brushes_follow_the_roles_in_the_table(qtbot, viewer, no_warm_up):
    viewer.add_image(np.zeros((32, 32)), name="film")
    page = open_dock(viewer, FINETUNE).page
    page.add_painting()
    painting = page.painting.value
    painting.data[:4], painting.data[8:12] = 1, 2
    painting.refresh()
    qtbot.waitUntil(lambda: page.classes.rowCount() == 2)
    page.classes.cellWidget(0, 2).setCurrentText("background")
    shown = {brush: button.icon().pixmap(14, 14).toImage().pixelColor(7, 7).getRgbF()[:3]
             for brush, button in page.tools.brushes.buttons.items()}  # fmt: skip
    np.testing.assert_allclose(shown["not particle"], painting.get_color(1)[:3], atol=0.01)
    assert shown["particle"] != shown["not particle"]


@pytest.mark.gui
def test_a_class_that_is_renamed_after_the_last_stroke_is_saved_with_the_painting(qtbot, viewer, no_warm_up, home):
    viewer.add_image(np.zeros((32, 32)), name="film")
    page = open_dock(viewer, FINETUNE).page
    page.add_painting()
    page.painting.value.data_setitem((np.arange(4), np.arange(4)), 1)
    qtbot.waitUntil(lambda: page.classes.rowCount() == 1)
    page.tools.saver.save()
    qtbot.waitUntil(lambda: bool([*home.rglob("*.json")]) and not page.tools.saver._writer.busy)
    page.classes.item(0, 1).setText("gold")
    page.tools.saver.save()
    qtbot.waitUntil(lambda: any("gold" in path.read_text() for path in home.rglob("*.json")))


@pytest.mark.gui
def test_a_brush_is_in_the_hand_only_while_its_painting_is_selected(viewer, no_warm_up):
    image = viewer.add_image(np.zeros((32, 32)), name="film")
    page = open_dock(viewer, FINETUNE).page
    page.add_painting()
    button = page.tools.brushes.buttons["particle"]
    assert button.isChecked()
    viewer.layers.selection.active = image
    assert not button.isChecked(), "a stroke would move the view"
    button.click()
    assert button.isChecked()
    assert viewer.layers.selection.active == page.painting.value
