"""Layers that go and come: never both in one turn of the event loop, though it happens again and again."""

import gc

import numpy as np
import pytest
import small_jobs
from napari.layers import Labels
from qtpy.QtCore import QTimer

from napari_emssl.gui.layers.layers import snapshot_of
from napari_emssl.gui.layers.previews import PreviewLayer

pytestmark = pytest.mark.gui


class OneTurn:
    """Notes Labels layers that came in the turn of the event loop in which a layer went."""

    def __init__(self, viewer):
        self.mixed, self.came, self._gone = [], 0, False
        self._over = QTimer()
        self._over.setSingleShot(True)
        self._over.timeout.connect(self._forget)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.events.inserted.connect(self._on_inserted)

    def _forget(self):
        self._gone = False

    def _on_removed(self, event):
        self._gone = True
        self._over.start(0)

    def _on_inserted(self, event):
        if isinstance(event.value, Labels):
            self.came += 1
            if self._gone:
                self.mixed.append(event.value.name)


@pytest.fixture
def shown(make_napari_viewer_proxy):
    """A viewer whose canvas is drawn."""
    gc.freeze()  # napari searches all that is not frozen whenever a layer goes
    return make_napari_viewer_proxy(show=True)


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_training_applying_and_clearing_again_and_again(qtbot, shown, substitute, rounds):
    viewer = shown
    substitute(finetune=small_jobs.long_training, apply_images=small_jobs.threshold)
    _, dock = viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Fine-tune")
    film = np.random.default_rng(0).integers(0, 255, (2, 48, 48), np.uint8)
    turns = OneTurn(viewer)
    for number in range(rounds):
        viewer.add_image(film, name="film")
        qtbot.waitUntil(lambda: dock.page.image.value is not None)
        dock.page.add_painting()
        dock.page.painting.value.data[0, :20, :20] = 1
        dock.begin()
        qtbot.waitUntil(lambda: "film | preview" in viewer.layers)
        dock.panel.stop()
        qtbot.waitUntil(lambda: not dock.panel.runner.running)
        dock.apply()
        qtbot.waitUntil(lambda: any("model" in str(layer.metadata) for layer in viewer.layers))
        qtbot.waitUntil(lambda: not dock.panel.runner.running)
        viewer.layers.clear()
        qtbot.wait(50)  # a user needs longer to open the next image
        assert turns.came >= 3 * (number + 1)
    assert turns.mixed == []


def test_the_last_layer_goes_after_painting(qtbot, shown, no_warm_up):
    """Crashes napari 0.9 by itself, without `remove_brush_box`."""
    shown.window.add_plugin_dock_widget("napari-emssl", "EM SSL Apply model")
    image = shown.add_image(np.zeros((8, 8)))
    shown.add_labels(np.zeros((8, 8), int)).mode = "paint"
    qtbot.wait(100)
    shown.layers.selection.active = image
    qtbot.wait(100)
    shown.layers.clear()
    qtbot.wait(100)


def test_a_preview_that_was_removed_comes_back_a_turn_later_and_not_after_the_end(qtbot, shown):
    image = shown.add_image(np.zeros((8, 8)), name="film")
    turns, preview = OneTurn(shown), PreviewLayer(shown)
    answer = np.ones((8, 8), np.uint8)
    preview.begin(snapshot_of(image))
    preview.show(answer)
    preview.remove()
    preview.begin(snapshot_of(image))
    for number in (2, 3):
        preview.show(number * answer)
    assert len(shown.layers) == 1
    qtbot.waitUntil(lambda: len(shown.layers) == 2)
    assert (shown.layers["film | preview"].data == 3).all(), "only the newest one"
    preview.remove()
    preview.begin(snapshot_of(image))
    preview.show(answer)
    preview.remove()
    qtbot.wait(50)
    assert len(shown.layers) == 1
    assert turns.mixed == []
