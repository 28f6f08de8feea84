"""The images of a folder are segmented from the dock without being opened."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QFileDialog

from napari_emssl.gui.apply import profiles
from napari_emssl.models import zoo
from napari_emssl.models.build import network_of
from napari_emssl.models.model_file import Card, ClassInfo, Model, NetworkSpec
from napari_emssl.models.weights import to_numpy
from napari_emssl.models.zoo import add_model

pytestmark = pytest.mark.gui


@pytest.fixture
def widget(viewer, monkeypatch, tmp_path, no_warm_up):
    monkeypatch.setattr(profiles, "_KNOWN", {})
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path / "nothing ships")
    spec = NetworkSpec(name="unet-2-44", width=1)
    classes = (ClassInfo(name="background"), ClassInfo(name="gold"))
    weights = to_numpy(network_of(spec).state_dict())
    add_model(Model(Card(name="gold", task="segment", network=spec, classes=classes), weights))
    widget = viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Apply model")[1]
    widget.scope.setCurrentText("files of a folder")
    return widget


@pytest.fixture
def images(tmp_path) -> Path:
    folder = tmp_path / "day1"
    (folder / "more").mkdir(parents=True)
    for name in ("a.tif", "more/b.tif"):
        tifffile.imwrite(folder / name, np.random.default_rng(0).integers(0, 255, (48, 40), np.uint8))
    (folder / "c.tif").write_bytes(b"no image")
    return folder


def run(qtbot, widget):
    widget.panel.start_button.click()
    qtbot.waitUntil(lambda: not widget.panel.runner.running, timeout=120_000)


def test_what_is_missing_is_said_before_a_run(qtbot, widget, tmp_path):
    assert widget.folder.isVisibleTo(widget)
    assert not widget.image.native.isVisibleTo(widget)
    assert not widget.place.box.isVisibleTo(widget)
    run(qtbot, widget)
    assert "No folder is chosen" in widget.panel.message.text
    widget.folder.line.setText(str(tmp_path / "nowhere"))
    run(qtbot, widget)
    assert "There is no folder" in widget.panel.message.text
    widget.scope.setCurrentText("whole layer")
    assert widget.image.native.isVisibleTo(widget)
    assert widget.place.box.isVisibleTo(widget)
    assert not widget.folder.isVisibleTo(widget)


def test_each_image_of_a_folder_gives_a_file_and_none_is_replaced_unasked(
    qtbot, widget, viewer, images, tmp_path, monkeypatch
):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(images))
    widget.folder.button.click()
    widget.update_estimate()
    assert f"'{images}'" in widget.plan.text
    run(qtbot, widget)
    results = zoo.home() / "results" / "day1 gold"
    assert "2 results" in widget.panel.message.text
    assert "1 image could not be used" in widget.panel.message.text
    assert str(results) in widget.panel.message.text
    assert tifffile.imread(results / "more" / "b.tif").shape == (48, 40)
    before = (results / "a.tif").read_bytes()
    run(qtbot, widget)
    assert "exist" in widget.panel.message.text
    assert (results / "a.tif").read_bytes() == before
    widget.place.replace.setChecked(True)
    run(qtbot, widget)
    assert "2 results" in widget.panel.message.text
    assert not viewer.layers
