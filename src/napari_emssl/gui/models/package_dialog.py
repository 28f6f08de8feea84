"""What is asked before a model is exported as a package of bioimage.io: where to, by whom, under which licence."""

from pathlib import Path

from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...data.images.user_folder import safe_stem
from ...errors import UserError
from ...export.credits import Credits
from ...export.order import Exported, PackageOrder
from ..job.dock import hbox
from ..widgets.message import MessageLabel
from .request import PackageRequest

_LICENCES = ("", "CC-BY-4.0", "CC0-1.0", "MIT", "BSD-3-Clause", "Apache-2.0")
_AUTHORS, _LICENCE = "Authors", "Licence"
_LINES = 3
_WIDE_PX = 460


class PackageDialog(QDialog):
    """Asks for what goes into a package; `request` has the answers once it was accepted.

    Parameters
    ----------
    model
        Name in the zoo.
    parent
        The dock.

    """

    def __init__(self, model: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model
        self.request: PackageRequest | None = None
        self.setWindowTitle(f"Export '{model}' for other programs")
        self.setMinimumWidth(_WIDE_PX)
        self._make_fields()
        self._lay_out()

    def _make_fields(self) -> None:
        self.folder = QLineEdit(str(Path.home() / f"{safe_stem(self._model)}-package"))
        self.folder.setToolTip("A new folder, which gets the package of bioimage.io.")
        self.authors = QPlainTextEdit()
        self.authors.setPlaceholderText("One a line: NAME; AFFILIATION; ORCID; @GITHUB\nThe name is enough.")
        self.authors.setFixedHeight((_LINES + 1) * self.authors.fontMetrics().lineSpacing())
        self.authors.setTabChangesFocus(True)
        self.authors.setFrameShape(QFrame.Shape.Box)
        self.licence = QComboBox()
        self.licence.setEditable(True)
        self.licence.addItems(_LICENCES)
        self.licence.lineEdit().setPlaceholderText("that of the model's card")
        self.licence.setToolTip("An identifier of the SPDX list. Without one the package cannot be published.")
        self.citation = QLineEdit()
        self.citation.setPlaceholderText("TEXT; DOI, beside the papers of the network")
        self.sample = QLineEdit()
        self.sample.setPlaceholderText("a simulated image")
        self.sample.setToolTip("An image on which the model finds something; the package is tested with it.")
        self.message = MessageLabel(trouble=True)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Folder", hbox(self.folder, self._button(self._browse_folder)))
        form.addRow(_AUTHORS, self.authors)
        form.addRow(_LICENCE, self.licence)
        form.addRow("To cite", self.citation)
        form.addRow("Sample image", hbox(self.sample, self._button(self._browse_sample)))
        kinds = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(kinds.Ok | kinds.Cancel)
        buttons.button(kinds.Ok).setText("Export")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.message)
        layout.addWidget(buttons)

    def _button(self, answer: object) -> QPushButton:
        button = QPushButton("Browse …")
        button.setAutoDefault(False)
        button.clicked.connect(answer)
        return button

    def _browse_folder(self) -> None:
        folder, _ = QFileDialog.getSaveFileName(self, "Write the package to a new folder", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _browse_sample(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Test the package with an image")
        if path:
            self.sample.setText(path)

    def accept(self) -> None:
        """Close, unless something that was typed makes no sense."""
        try:
            self.request = self._read()
        except UserError as error:
            self.message.show_text(str(error))
        else:
            super().accept()

    def _read(self) -> PackageRequest:
        folder, sample = self.folder.text().strip(), self.sample.text().strip()
        if not folder:
            raise UserError("No folder is named. Name a new one.")
        authors = [line for line in self.authors.toPlainText().splitlines() if line.strip()]
        cited = [self.citation.text()] if self.citation.text().strip() else []
        parties = Credits.parse(authors, self.licence.currentText().strip() or None, cited)
        tested = Path(sample).expanduser() if sample else None
        return PackageRequest(PackageOrder(self._model, Path(folder).expanduser(), parties, tested))


def say_exported(exported: Exported) -> str:
    """Say what was written and, by the names of the dialog's fields, what is missing."""
    return exported.describe({"authors": f"'{_AUTHORS}'", "licence": f"'{_LICENCE}'"})
