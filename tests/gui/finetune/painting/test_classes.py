import numpy as np
import pytest
from napari.layers import Labels

from napari_emssl.errors import UserError
from napari_emssl.gui.finetune.painting.classes import (
    PaintedClass,
    agreed_classes,
    given_classes,
    labels_in,
    remember,
    shown_classes,
)
from napari_emssl.gui.layers.layers import METADATA_KEY


def labels(name, metadata=None):
    return Labels(np.zeros((4, 4), int), name=name, metadata=metadata or {})


def test_what_is_said_of_a_label_is_remembered_with_the_layer():
    layer = labels("p", {"other": 1, METADATA_KEY: {"preview": False}})
    remember([layer], PaintedClass(2, "gold"))
    remember([layer], PaintedClass(2, "gold", "background"))
    opened = labels("again", {METADATA_KEY: dict(layer.metadata[METADATA_KEY])})
    assert given_classes(opened) == {2: PaintedClass(2, "gold", "background")}
    assert layer.metadata["other"] == 1
    assert not layer.metadata[METADATA_KEY]["preview"]
    assert [c.name for c in shown_classes([opened], (1, 2))] == ["label 1", "gold"]


def test_metadata_of_others_does_no_harm():
    layer = labels("p", {METADATA_KEY: {"painting": {"x": 1, "2": {"name": "", "role": "class"}, "3": {"role": "no"}}}})
    assert given_classes(layer) == {}


def test_labels_of_a_result_are_called_as_the_model_calls_them():
    layer = labels("film | au", {METADATA_KEY: {"model": "au", "classes": ["background", "gold"]}})
    assert [c.name for c in shown_classes([layer], (1, 2))] == ["gold", "label 2"]


def test_paintings_have_to_agree():
    one, other, silent = labels("one"), labels("other"), labels("silent")
    remember([one], PaintedClass(1, "gold"))
    assert agreed_classes([silent, one], (1,)) == (PaintedClass(1, "gold"),)
    remember([other], PaintedClass(1, "void", "background"))
    with pytest.raises(UserError, match="Label 1 is 'gold' in 'one' but background in 'other'"):
        agreed_classes([one, other], (1,))
    remember([one, other], PaintedClass(1, "gold"))
    assert agreed_classes([one, other], (1,)) == (PaintedClass(1, "gold"),)


def test_two_classes_do_not_share_a_name():
    layer = labels("p")
    remember([layer], PaintedClass(1, "gold"))
    remember([layer], PaintedClass(3, "gold"))
    with pytest.raises(UserError, match="Labels 1 and 3 are both called 'gold'"):
        agreed_classes([layer], (1, 3))
    remember([layer], PaintedClass(3, "gold", "ignore"))
    assert len(agreed_classes([layer], (1, 3))) == 2


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_that_occur(dtype):
    data = np.zeros((2, 3, 8, 8), dtype)
    data[0, 1, 2, 2], data[1, 2, :4] = 9, 100
    assert labels_in(data, data.shape) == {9, 100}
    if dtype is not np.uint8:
        data[1, 1, 0, 0] = 1_000_000
        assert labels_in(data, data.shape) == {9, 100, 1_000_000}
    assert labels_in(np.zeros((4, 4), dtype), (4, 4)) == set()
