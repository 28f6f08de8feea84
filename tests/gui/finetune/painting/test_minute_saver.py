"""What was painted in the last minute is written when its dock goes, however it goes."""

import numpy as np
import pytest
from napari.layers import Image, Labels
from qtpy.QtCore import QCoreApplication, QEvent, QObject

from napari_emssl.gui.finetune.painting.minute_saver import MinuteSaver, OpenPainting
from napari_emssl.gui.finetune.painting.saved_paintings import saved_paintings
from napari_emssl.gui.threads.background import _THREADS

pytestmark = pytest.mark.gui


def closed(owner, saver):
    saver.on_close()


def destroyed(owner, saver):
    """As the window's end does it, which asks nobody."""
    owner.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def another_picked(owner, saver):
    saver.watch(Labels(np.zeros((32, 40), np.uint8)))


@pytest.mark.parametrize("end", [closed, destroyed, another_picked])
def test_paint_of_the_last_minute_is_written(qtbot, home, end):
    image, painting = Image(np.zeros((32, 40)), name="gold"), Labels(np.zeros((32, 40), np.uint8))
    owner, picked = QObject(), OpenPainting(image, painting, None, "near")
    saver = MinuteSaver(lambda: picked, owner)
    saver.watch(painting)
    with painting.block_history():
        painting.paint((10, 10), 1)
    end(owner, saver)
    for thread in tuple(_THREADS):
        thread.join()
    (saved,) = saved_paintings("gold", (32, 40))
    np.testing.assert_array_equal(saved.labels(), painting.data)
    assert painting.data.any()


def test_nothing_is_written_where_nothing_was_painted(qtbot, home):
    painting = Labels(np.ones((32, 40), np.uint8))
    picked = OpenPainting(Image(np.zeros((32, 40)), name="gold"), painting, None, "near")
    owner = QObject()
    saver = MinuteSaver(lambda: picked, owner)
    saver.watch(painting)
    saver.on_close()
    assert saved_paintings("gold", (32, 40)) == []
