import numpy as np
from napari.layers import Labels

from napari_emssl.gui.finetune.painting.brushes import label_of, take_brush
from napari_emssl.gui.finetune.painting.classes import PaintedClass, given_classes, remember


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
