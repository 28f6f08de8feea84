"""The camera stays on what it looked at."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_emssl.gui.layers.camera import camera_of, keep_in_view

pytestmark = pytest.mark.gui


def test_the_camera_follows_layers_that_become_smaller():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((40, 60)))
    camera, before = camera_of(viewer), viewer.layers.extent.world
    camera.center, camera.zoom = (0, 10, 20), 4
    seen = layer.world_to_data(camera.center[-2:])
    layer.scale = (0.5, 0.5)
    keep_in_view(viewer, before)
    assert camera.zoom == pytest.approx(8)
    assert layer.world_to_data(camera.center[-2:]) == pytest.approx(seen)


def test_an_extent_of_nothing_leaves_the_camera_alone():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((40, 60)))
    zoom = camera_of(viewer).zoom
    keep_in_view(viewer, np.zeros((2, 2)))
    assert camera_of(viewer).zoom == zoom
