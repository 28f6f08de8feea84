"""The models dock in a real viewer: every button, every kind of model, and what can go wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest
import small_jobs
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QFileDialog, QInputDialog, QMessageBox

from napari_emssl.gui.job.curve_record import CurveRecord
from napari_emssl.gui.job.dock import APPLY, FINETUNE, MODELS, open_dock
from napari_emssl.gui.models.card import page_of
from napari_emssl.gui.models.package_dialog import PackageDialog
from napari_emssl.gui.models.rows import local_rows
from napari_emssl.gui.models.table import COLUMNS
from napari_emssl.jobs.events import Progress
from napari_emssl.models.model_file import Model, read_card, read_model, save_model
from napari_emssl.models.registry import registry_entry
from napari_emssl.models.zoo import add_model, list_models, own_folder, remove_model

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_warm_up")]


@pytest.fixture
def widget(qtbot, viewer):
    return opened(qtbot, viewer)


def opened(qtbot, viewer):
    widget = viewer.window.add_plugin_dock_widget("napari-emssl", MODELS)[1]
    qtbot.waitUntil(lambda: bool(widget.table.shown) and not widget.reader.running)
    return widget


def names(widget):
    return [row.name for row in widget.table.shown]


def choose(widget, name):
    row = next(row for row in widget.table.shown if row.name == name)
    assert widget.table.choose(*row.key)
    return row


def wait_for_end(qtbot, widget):
    qtbot.waitUntil(lambda: not widget.panel.runner.running and not widget.reader.running)


def wait_for(qtbot, widget, name):
    qtbot.waitUntil(lambda: name in names(widget))


def answer(button, seen):
    """Click a button of the question that is about to be asked."""

    def click():
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(50, click)
            return
        seen.append(box.text())
        box.button(button).click()

    QTimer.singleShot(50, click)


def offer(home, path, urls, **changes):
    """Have a registry of the user's offer a model file."""
    entry = registry_entry(path, tuple(urls)).model_dump(mode="json") | changes
    (home / "registries").mkdir(parents=True, exist_ok=True)
    (home / "registries" / "lab.json").write_text(json.dumps({"format_version": 1, "models": [entry]}), "utf-8")


def test_the_table_tells_of_every_model(qtbot, viewer, home, tmp_path):
    add_model(small_jobs.model("mine"))
    (own_folder() / "cut; short.safetensors").write_bytes(b"nothing")
    offer(home, save_model(small_jobs.model("theirs"), tmp_path / "theirs.safetensors"), ["http://127.0.0.1:9/x"])
    widget = opened(qtbot, viewer)
    wait_for(qtbot, widget, "theirs")
    origins = {row.name: row.origin for row in widget.table.shown}
    assert (origins["mine"], origins["unet-4-200"]) == ("own", "shipped")
    assert (origins["cut; short"], origins["theirs"]) == ("damaged", "remote")
    index = widget.table.model().index(names(widget).index("unet-4-200"), 0)
    texts = [index.siblingAtColumn(column).data() for column in range(len(COLUMNS))]
    assert texts == ["unet-4-200", "reconstruct", "shipped", "200", "0.28", "131 k", "2026-11-24", "unet-4-200"]
    assert names(widget)[:2] == ["context-unet-4-200-w16", "unet-4-200"], "recommended starts first"


def test_columns_sort_by_value_not_by_text(widget):
    fields = next(n for n, column in enumerate(COLUMNS) if column.title.startswith("field"))
    widget.table.sortByColumn(fields, widget.table.model().sortOrder().AscendingOrder)
    found = [row.receptive_field for row in widget.table.shown]
    assert found == sorted(found)
    assert found[0] == 44


def test_filters(widget, qtbot):
    add_model(small_jobs.model("gold"))
    wait_for(qtbot, widget, "gold")
    widget.search.setText("UNET 424")
    assert names(widget) == ["unet-4-424"]
    assert widget.row.name == "unet-4-424"
    widget.search.setText("")
    widget.task.setCurrentText("segment")
    assert names(widget) == ["gold"]
    widget.search.setText("nothing like it")
    assert names(widget) == []
    assert widget.row is None
    assert not any(button.isEnabled() for button in widget.buttons.values())
    assert widget.card.page.toPlainText().startswith("No model is chosen. Clear the search")


def test_what_cannot_be_done_says_why(widget, qtbot):
    choose(widget, "unet-3-96")
    enabled = {action for action, button in widget.buttons.items() if button.isEnabled()}
    assert enabled == {"fine-tune", "adapt", "export"}
    assert "came with the program" in widget.buttons["delete"].toolTip()
    assert "came with the program" in widget.buttons["rename"].toolTip()
    assert "fine-tune it first" in widget.buttons["apply"].toolTip()
    add_model(small_jobs.model("mine"))
    wait_for(qtbot, widget, "mine")
    choose(widget, "mine")
    enabled = {action for action, button in widget.buttons.items() if button.isEnabled()}
    assert enabled == {"apply", "fine-tune", "export", "rename", "delete"}


def test_apply_and_fine_tune_open_their_docks_with_the_model_picked(qtbot, widget, viewer):
    add_model(small_jobs.model("mine"))
    wait_for(qtbot, widget, "mine")
    choose(widget, "mine")
    widget.buttons["apply"].click()
    assert open_dock(viewer, APPLY).model.picked() == "mine"
    widget.buttons["fine-tune"].click()
    assert open_dock(viewer, FINETUNE).start.picked() == "mine"
    choose(widget, "unet-2-84")
    widget.buttons["fine-tune"].click()
    assert open_dock(viewer, FINETUNE).start.picked() == "unet-2-84"


def test_the_list_follows_the_folder_and_what_is_chosen_stays(qtbot, widget):
    choose(widget, "unet-3-176")
    add_model(small_jobs.model("a"))
    wait_for(qtbot, widget, "a")
    assert widget.row.name == "unet-3-176"
    choose(widget, "a")
    remove_model("a")
    qtbot.waitUntil(lambda: "a" not in names(widget))
    assert widget.row is not None


def test_rename(qtbot, widget, monkeypatch):
    for name in ("old", "taken"):
        add_model(small_jobs.model(name))
    wait_for(qtbot, widget, "taken")
    wait_for(qtbot, widget, "old")
    choose(widget, "old")
    given = iter([("taken", True), ("new", False), ("new", True)])
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: next(given))
    widget.buttons["rename"].click()
    wait_for_end(qtbot, widget)
    assert "There is a model 'taken' already" in widget.panel.message.text
    widget.buttons["rename"].click()
    assert {"old", "taken"} <= set(names(widget)), "cancelled"
    widget.buttons["rename"].click()
    wait_for_end(qtbot, widget)
    qtbot.waitUntil(lambda: widget.row.name == "new")
    assert read_card(own_folder() / "new.safetensors").name == "new"
    assert "old" not in names(widget)


def test_delete_asks(qtbot, widget):
    add_model(small_jobs.model("mine"))
    wait_for(qtbot, widget, "mine")
    choose(widget, "mine")
    seen = []
    answer(QMessageBox.StandardButton.No, seen)
    widget.buttons["delete"].click()
    assert "Delete 'mine'?" in seen[0]
    assert not widget.panel.runner.running
    answer(QMessageBox.StandardButton.Yes, seen)
    widget.buttons["delete"].click()
    wait_for_end(qtbot, widget)
    qtbot.waitUntil(lambda: "mine" not in names(widget))
    assert not (own_folder() / "mine.safetensors").exists()


def test_a_damaged_file_is_listed_with_its_reason_and_can_be_deleted(qtbot, widget):
    path = own_folder() / "cut; short.safetensors"
    path.write_bytes(b"nothing")
    wait_for(qtbot, widget, "cut; short")
    choose(widget, "cut; short")
    assert "damaged or cut short" in widget.card.page.toPlainText()
    assert [action for action, button in widget.buttons.items() if button.isEnabled()] == ["delete"]
    answer(QMessageBox.StandardButton.Yes, [])
    widget.buttons["delete"].click()
    wait_for_end(qtbot, widget)
    assert not path.exists()


def test_import(qtbot, widget, tmp_path, monkeypatch):
    good = save_model(small_jobs.model("from a friend"), tmp_path / "friend.safetensors")
    pictures = tmp_path / "friend-pictures"
    pictures.mkdir()
    (pictures / "curves.csv").write_text("step,seconds,loss,validation dice\n1,0.1,0.5,\n2,0.2,0.4,0.8\n", "utf-8")
    for expected in ("from a friend", "from a friend-2"):
        monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(good)], ""))
        widget.import_button.click()
        wait_for_end(qtbot, widget)
        qtbot.waitUntil(lambda name=expected: widget.row.name == name)
    assert "Imported 'from a friend-2'" in widget.panel.message.text
    assert widget.tabs.isTabEnabled(1), "the curves that lay beside the file came with it"
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(good.read_bytes()[:-100])
    before = names(widget)
    widget.import_models([wrong])
    wait_for_end(qtbot, widget)
    assert "damaged or cut short" in widget.panel.message.text
    assert names(widget) == before


def test_export_in_both_sizes(qtbot, widget, tmp_path, monkeypatch):
    heavy = Model(small_jobs.model("heavy").card, {"w": np.random.default_rng(0).random((64, 64), np.float32)})
    add_model(heavy)
    wait_for(qtbot, widget, "heavy")
    choose(widget, "heavy")
    sizes = {}
    for action in widget.buttons["export"].menu().actions()[:2]:
        storage = action.data()
        given = str(tmp_path / f"out-{storage}")
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, given=given: (given, ""))
        action.trigger()
        wait_for_end(qtbot, widget)
        path = tmp_path / f"out-{storage}.safetensors"
        assert f"Wrote {path}" in widget.panel.message.text
        np.testing.assert_allclose(read_model(path).weights["w"], heavy.weights["w"], atol=1e-3)
        sizes[storage] = path.stat().st_size
    assert set(sizes) == {"float16", "float32"}
    assert sizes["float16"] < 0.6 * sizes["float32"]
    widget.export(own_folder() / "heavy.safetensors", "float16")
    wait_for_end(qtbot, widget)
    assert "is the model itself" in widget.panel.message.text


def test_a_package_for_other_programs_is_exported(qtbot, widget, tmp_path, monkeypatch, substitute):
    substitute(export_package=small_jobs.exporting)
    choose(widget, "unet-2-84")
    asked = []

    def fill_in(dialog):
        asked.append(dialog.windowTitle())
        dialog.folder.setText(str(tmp_path / "package"))
        dialog.authors.setPlainText("A. Lovelace; University of X")
        dialog.accept()

    monkeypatch.setattr(PackageDialog, "exec", fill_in)
    action = widget.buttons["export"].menu().actions()[2]
    action.trigger()
    wait_for_end(qtbot, widget)
    assert asked == ["Export 'unet-2-84' for other programs"]
    assert widget.panel.message.text.startswith(f"Wrote {tmp_path / 'package'}: TorchScript and ONNX differ by at most")
    assert widget.panel.message.text.endswith("To publish it, export it again, to another folder, with 'Licence'.")
    monkeypatch.setattr(PackageDialog, "exec", lambda dialog: dialog.reject())
    widget.panel.say("")
    action.trigger()
    assert not widget.panel.runner.running
    assert widget.panel.message.text == ""


def test_download(qtbot, viewer, home, serve, tmp_path):
    path = save_model(small_jobs.model("theirs"), tmp_path / "theirs.safetensors")
    server = serve(path.read_bytes())
    offer(home, path, [server.url("good")])
    widget = opened(qtbot, viewer)
    wait_for(qtbot, widget, "theirs")
    choose(widget, "theirs")
    assert widget.buttons["download"].isEnabled()
    widget.buttons["download"].click()
    wait_for_end(qtbot, widget)
    assert (own_folder() / "theirs.safetensors").read_bytes() == path.read_bytes()
    qtbot.waitUntil(lambda: widget.row is not None and widget.row.origin == "own")
    assert names(widget).count("theirs") == 1
    assert "Downloaded 'theirs'" in widget.panel.message.text


@pytest.mark.parametrize(
    ("manner", "words"),
    [("lie", "not the expected one"), ("missing", "answered 404"), ("truncate", "stopped sending")],
)
def test_a_bad_download_is_said_and_leaves_nothing(qtbot, viewer, home, serve, tmp_path, manner, words):
    path = save_model(small_jobs.model("theirs"), tmp_path / "theirs.safetensors")
    server = serve(path.read_bytes())
    offer(home, path, [server.url(manner)])
    widget = opened(qtbot, viewer)
    wait_for(qtbot, widget, "theirs")
    choose(widget, "theirs")
    widget.buttons["download"].click()
    wait_for_end(qtbot, widget)
    assert words in widget.panel.message.text
    assert list(own_folder().iterdir()) == []
    assert widget.buttons["download"].isEnabled()


@pytest.mark.parametrize("end", ["stop", "close"])
def test_a_download_can_be_stopped_and_ends_with_its_dock(qtbot, viewer, home, serve, tmp_path, end):
    heavy = Model(small_jobs.model("theirs").card, {"w": np.zeros((800, 500), np.float32)})
    path = save_model(heavy, tmp_path / "theirs.safetensors")
    server = serve(path.read_bytes())
    offer(home, path, [server.url("slow")])
    widget = opened(qtbot, viewer)
    wait_for(qtbot, widget, "theirs")
    choose(widget, "theirs")
    widget.buttons["download"].click()
    qtbot.waitUntil(lambda: 0 < widget.panel.bar.value() < widget.panel.bar.maximum())
    assert widget.panel.stop_button.isVisibleTo(widget)
    assert not widget.buttons["download"].isEnabled()
    if end == "stop":
        widget.panel.stop_button.click()
        wait_for_end(qtbot, widget)
        assert "Nothing was kept" in widget.panel.message.text
    else:
        viewer.window.remove_dock_widget(widget)
    qtbot.waitUntil(lambda: list(own_folder().iterdir()) == [])


def test_a_registry_that_cannot_be_read_is_said(qtbot, viewer, home):
    (home / "registries").mkdir(parents=True)
    (home / "registries" / "lab.json").write_text("{", "utf-8")
    widget = opened(qtbot, viewer)
    qtbot.waitUntil(lambda: "is not a JSON document" in widget.panel.message.text)
    assert "unet-4-200" in names(widget)


def test_the_card_tells_every_stage_and_can_be_copied(qtbot, widget):
    model = small_jobs.model("mine", dice=0.875)
    shipped = next(entry for entry in list_models() if entry.name == "unet-4-200")
    stages = (*read_card(shipped.path).history, *model.card.history)
    card = model.card.model_copy(update={"history": stages, "description": "Gold <on> carbon", "pixel_size_nm": (1, 2)})
    add_model(Model(card, model.weights))
    wait_for(qtbot, widget, "mine")
    choose(widget, "mine")
    widget.card.copy_button.click()
    text = QApplication.clipboard().text()
    for words in ("Gold <on> carbon", "1. pretrain from random weights", "2. finetune", "dice 0.875", "1 to 2 nm",
                  "napari-emssl pretrain permissive", "patch 128", "validating on 20 planes", "label 1"):  # fmt: skip
        assert words in text.replace("\xa0", " "), words


def test_curves_are_shown_where_they_are_kept(qtbot, widget):
    for name in ("with", "without"):
        add_model(small_jobs.model(name))
    record = CurveRecord()
    for step in range(1, 50):
        record.add(Progress(step, None, {"loss": 1 / step}, {"dice": 0.5} if step % 10 == 0 else {}))
    record.keep("with").join()
    wait_for(qtbot, widget, "with")
    wait_for(qtbot, widget, "without")
    choose(widget, "with")
    assert widget.tabs.isTabEnabled(1)
    assert widget.plot.curves["loss loss"].values == [1 / n for n in range(1, 50)]
    assert len(widget.plot.curves["validation dice"].values) == 4
    choose(widget, "without")
    assert not widget.tabs.isTabEnabled(1)
    assert widget.tabs.currentIndex() == 0
    assert "none" in widget.tabs.tabToolTip(1)


def test_many_models_are_shown(widget):
    rows = [replace(row, name=f"{row.name} {n}", path=None) for n in range(60) for row in local_rows()[:5]]
    widget.table.show_rows(rows)
    assert len(widget.table.shown) == 300


def test_a_page_without_history_says_so():
    model = small_jobs.model("bare")
    row = local_rows()[0]
    assert "has no history" in page_of(replace(row, card=model.card.model_copy(update={"history": ()})))


def test_a_page_says_what_a_model_in_context_remembers():
    row, painted = local_rows()[0], {"painted": (128, 40), "scale": 0.5}
    assert "pixels of background" not in page_of(row)
    card = small_jobs.model("painted").card
    card = card.model_copy(update={"network": card.network.model_copy(update=painted)})
    assert "128 pixels of background, 40 pixels of" in page_of(replace(row, card=card)).replace("&nbsp;", " ")
    assert "sees images shrunk 2 times" in page_of(replace(row, card=card)).replace("&nbsp;", " ")


def test_the_theme_is_followed_and_left(qtbot, widget, viewer):
    record = CurveRecord()
    record.add(Progress(1, None, {"loss": 1.0}))
    add_model(small_jobs.model("mine"))
    record.keep("mine").join()
    wait_for(qtbot, widget, "mine")
    choose(widget, "mine")
    viewer.theme = "light"
    assert widget.plot.view.backgroundBrush().color().lightness() > 128
    viewer.window.remove_dock_widget(widget)
    viewer.theme = "dark"
