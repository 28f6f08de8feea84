"""Lists of models keep up with the zoo, whoever changes it."""

import subprocess
import sys

import numpy as np
import pytest
import small_jobs
from magicgui.widgets import ComboBox
from napari.components import ViewerModel

from napari_emssl.gui.models.picker import ModelPicker
from napari_emssl.gui.widgets.pickers import layer_picker
from napari_emssl.models.model_file import save_model
from napari_emssl.models.recommended import recommended_start
from napari_emssl.models.zoo import add_model, list_models, remove_model, rename_model

pytestmark = pytest.mark.gui


def names(picker):
    """What is listed beside what came with the plugin."""
    shipped = {entry.name for entry in list_models() if entry.origin == "shipped"}
    return [name for row in range(picker.count()) if (name := picker.itemData(row)) not in shipped]


@pytest.fixture
def picker(qtbot):
    picker = ModelPicker(starts=False)
    qtbot.addWidget(picker)
    return picker


def test_models_come_and_go_with_their_files(qtbot, picker):
    assert names(picker) == []
    add_model(small_jobs.model("a"))
    qtbot.waitUntil(lambda: names(picker) == ["a"])
    picker.pick("a")
    add_model(small_jobs.model("b"))
    qtbot.waitUntil(lambda: sorted(names(picker)) == ["a", "b"])
    assert picker.picked() == "a", "what is picked stays"
    rename_model("b", "c")
    qtbot.waitUntil(lambda: sorted(names(picker)) == ["a", "c"])
    remove_model("a")
    qtbot.waitUntil(lambda: names(picker) == ["c"])
    assert picker.picked() != "a"


def test_many_changes_at_once_are_read_once(qtbot, picker, monkeypatch):
    reads = []
    monkeypatch.setattr(picker, "refresh", lambda: reads.append(1))
    for number in range(5):
        add_model(small_jobs.model(f"m{number}"))
    qtbot.waitUntil(lambda: bool(reads))
    qtbot.wait(400)
    assert len(reads) == 1


def test_an_open_list_does_not_move_and_opening_reads_anew(qtbot, picker, home):
    add_model(small_jobs.model("a"))
    picker.show()
    picker.showPopup()
    assert names(picker) == ["a"]
    with qtbot.waitSignal(picker._watch.changed):
        add_model(small_jobs.model("b"))
    assert names(picker) == ["a"]
    picker.hidePopup()
    picker.showPopup()
    assert sorted(names(picker)) == ["a", "b"]
    picker.hidePopup()


def test_a_folder_that_was_taken_away_is_watched_again(qtbot, picker, home):
    (home / "models").rmdir()
    qtbot.wait(300)
    picker.show()
    picker.showPopup()
    picker.hidePopup()
    add_model(small_jobs.model("a"))
    qtbot.waitUntil(lambda: names(picker) == ["a"])


def test_a_folder_that_cannot_be_made_does_not_stop_the_dock(qtbot, home):
    home.write_text("a file where the folder should be")
    picker = ModelPicker(starts=True)
    qtbot.addWidget(picker)
    assert names(picker)[-1] == "scratch"


def test_a_model_imported_in_the_terminal_appears_in_the_open_docks(qtbot, viewer, no_warm_up, tmp_path):
    path = save_model(small_jobs.model("from the terminal"), tmp_path / "friend.safetensors")
    docks = [
        viewer.window.add_plugin_dock_widget("napari-emssl", title)[1]
        for title in ("EM SSL Fine-tune", "EM SSL Apply model")
    ]
    pickers = [docks[0].start, docks[1].model]
    picked = pickers[0].picked()
    subprocess.run([sys.executable, "-m", "napari_emssl", "models", "import", str(path)], check=True, timeout=600)
    for picker in pickers:
        qtbot.waitUntil(lambda picker=picker: "from the terminal" in names(picker))
    assert pickers[0].picked() == picked


def test_a_renamed_layer_stays_picked(qtbot):
    """Why there is a `LayerPicker`: magicgui's own box loses the layer; where that fails, it may go."""
    viewer = ViewerModel()
    for name in ("one", "two"):
        viewer.add_image(np.zeros((4, 4)), name=name)
    ours = layer_picker(viewer, "Image")
    theirs = ComboBox(choices=lambda _: list(viewer.layers))
    for picker in (ours, theirs):
        qtbot.addWidget(picker.native)
        picker.value = viewer.layers["two"]
    told = []
    ours.changed.connect(told.append)
    viewer.layers["two"].name = "renamed"
    for picker in (ours, theirs):
        picker.reset_choices()
    assert (ours.value.name, theirs.value.name, told) == ("renamed", "one", [])
    viewer.layers.remove("renamed")
    ours.reset_choices()
    assert (ours.value.name, told) == ("one", [viewer.layers["one"]])


def test_no_layer_comes_first_where_none_is_needed(qtbot):
    viewer = ViewerModel()
    picker = layer_picker(viewer, "Image", none="nothing", leave_out=lambda layer: layer.name == "result")
    qtbot.addWidget(picker.native)
    for name in ("one", "result"):
        viewer.add_image(np.zeros((4, 4)), name=name)
    picker.reset_choices()
    assert [picker.native.itemText(row) for row in range(picker.native.count())] == ["nothing", "one"]
    assert picker.value is None


def test_another_task_brings_its_own_recommended_start_unless_one_was_chosen(qtbot, home):
    picker = ModelPicker(starts=True)
    qtbot.addWidget(picker)
    picker.pick(recommended_start())
    told = []
    picker.described.connect(told.append)
    picker.recommend_for("denoise")
    assert picker.picked() == recommended_start("denoise") == "stem-denoise"
    assert told[-1].startswith("recommended · denoise")
    picker.pick("unet-2-44")
    picker.recommend_for("super-resolve")
    assert picker.picked() == "unet-2-44"


def test_a_result_becomes_a_painting_only_when_the_user_picks_it():
    viewer = ViewerModel()
    picker = layer_picker(viewer, "Labels", drawn=True)
    painting = viewer.add_labels(np.zeros((4, 4), int))
    result = viewer.add_labels(np.zeros((4, 4), int), metadata={"napari_emssl": {"model": "gold"}})
    picker.reset_choices()
    assert picker.value is painting
    viewer.layers.remove(painting)
    picker.reset_choices()
    assert picker.value is None
    assert picker.choices == (result,)
    picker.value = result
    viewer.add_labels(np.zeros((4, 4), int))
    picker.reset_choices()
    assert picker.value is result
