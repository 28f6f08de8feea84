"""What is asked before a model is exported for other programs."""

from pathlib import Path

import pytest
from qtpy.QtWidgets import QFileDialog, QPushButton, QWidget

from napari_emssl.export.credits import Author, Citation, Credits
from napari_emssl.gui.models.package_dialog import PackageDialog

pytestmark = pytest.mark.gui


@pytest.fixture
def dialog(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = PackageDialog("Au 5 nm", parent)
    dialog.show()
    yield dialog
    parent.close()


def test_what_was_typed_is_what_is_asked_for(dialog, tmp_path, monkeypatch):
    assert Path(dialog.folder.text()) == Path.home() / "au-5-nm-package"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "new"), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "gold.tif"), ""))
    for button in dialog.findChildren(QPushButton):
        if button.text().startswith("Browse"):
            button.click()
    dialog.authors.setPlainText("A. Lovelace; @ada\n\nC. Babbage\n")
    dialog.licence.setEditText("cc-by-4.0")
    dialog.citation.setText("Lovelace (2026); 10.1234/a")
    dialog.accept()
    asked = dialog.request.order
    assert (asked.model, asked.folder, asked.sample) == ("Au 5 nm", tmp_path / "new", tmp_path / "gold.tif")
    assert asked.parties.authors == (Author("A. Lovelace", github_user="ada"), Author("C. Babbage"))
    assert asked.parties.licence == "cc-by-4.0"
    assert asked.parties.citations == (Citation("Lovelace (2026)", "10.1234/a"),)
    assert not dialog.isVisible()


def test_all_but_the_folder_may_be_left_out(dialog):
    dialog.accept()
    asked = dialog.request.order
    assert (asked.parties, asked.sample) == (Credits(), None)


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [("folder", " ", "No folder"), ("authors", "; X", "names no author"), ("citation", "Doe 2026", "is no citation")],
)
def test_what_makes_no_sense_is_said_and_the_dialog_stays(dialog, field, typed, told):
    widget = getattr(dialog, field)
    (widget.setPlainText if field == "authors" else widget.setText)(typed)
    dialog.accept()
    assert told in dialog.message.text
    assert dialog.isVisible()
    assert dialog.request is None
