"""The dock "EM SSL Models": the zoo as a table, the card and the curves of a model, and what can be done with it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from qtpy.QtGui import QAction, QShowEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QInputDialog,
    QLineEdit,
    QMenu,
    QMessageBox,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ...data.images.user_folder import safe_stem
from ...jobs.events import Progress
from ...models.model_file import Storage
from ..job.curve_record import kept_curves
from ..job.dock import APPLY, FINETUNE, PRETRAIN, Column, hbox, open_dock
from ..job.job_panel import JobPanel
from ..job.request import RunOptions
from ..widgets.fields import combo_box
from ..widgets.theme import theme_colours
from .actions import delete, export, import_files, rename
from .card import CardView
from .package_dialog import PackageDialog, say_exported
from .picker import ZooWatch, zoo_news
from .reader import ZooReader, ZooView
from .request import DownloadRequest, FileRequest
from .rows import Action, ZooRow
from .table import ModelView

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer

    from ..job.loss_plot import LossPlot

T = TypeVar("T")
_TASKS = {
    "all tasks": "",
    "generators": "reconstruct",
    "segment": "segment",
    "denoise": "denoise",
    "remove background": "remove-background",
    "super-resolve": "super-resolve",
}
_STORAGES: dict[str, Storage] = {"32 bit …": "float32", "16 bit, about half the size …": "float16"}
_NO_CURVES = "Curves are kept for models trained in the viewer; there are none for this one."
_MODELS = "Models (*.safetensors)"


class ModelsDock(Column):
    """Shows all models there are, and imports, exports, renames, deletes and downloads them.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.

    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__(napari_viewer)
        self._make_table()
        self._make_actions()
        self._make_page()
        self.reader = ZooReader(self)
        self.reader.read.connect(self._on_zoo)
        self._watch = ZooWatch(self)
        self._watch.changed.connect(self.reader.ask)
        zoo_news.changed.connect(self.reader.ask)
        self._show_actions()
        self.reader.ask(registries=True)

    def _make_table(self) -> None:
        self.task = combo_box(_TASKS)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search name, network, licence …")
        self.search.setClearButtonEnabled(True)
        self.table = ModelView()
        self.task.currentIndexChanged.connect(self._filter)
        self.search.textChanged.connect(self._filter)
        self.table.picked.connect(self._on_picked)
        self.column.insertWidget(0, hbox(self.search, self.task))
        self.column.addWidget(self.table, 3)

    def _make_actions(self) -> None:
        """Two rows of buttons: what a model is good for, and housekeeping."""
        grid = QGridLayout()
        grid.setSpacing(4)
        self.buttons: dict[Action, QPushButton] = {}
        self.import_button = QPushButton("Import …")
        self.import_button.setToolTip("Copy model files from anywhere into your own models.")
        self.import_button.clicked.connect(self._ask_for_files)
        self._add(grid, 0, 0, "apply", "Apply", self._apply)
        self._add(grid, 0, 1, "fine-tune", "Fine-tune", self._finetune)
        self._add(grid, 0, 2, "adapt", "Pretrain", self._adapt)
        self._add(grid, 0, 3, "export", "Export", None)
        grid.addWidget(self.import_button, 1, 0)
        self._add(grid, 1, 1, "rename", "Rename …", self._ask_for_name)
        self._add(grid, 1, 2, "delete", "Delete …", self._ask_whether)
        self.column.addLayout(grid)
        self.panel = JobPanel(self.viewer, "Download")
        self.buttons["download"] = self.panel.start_button
        grid.addWidget(self.panel.start_button, 1, 3)
        self.panel.start_requested.connect(self._download)
        self.panel.idle.connect(self._show_actions)
        self._make_export_menu()

    def _add(
        self, grid: QGridLayout, row: int, column: int, action: Action, title: str, answer: Callable[[], None] | None
    ) -> None:
        button = QPushButton(title)
        if answer is not None:
            button.clicked.connect(answer)
        self.buttons[action] = button
        grid.addWidget(button, row, column)

    def _make_export_menu(self) -> None:
        self.export_menu = QMenu(self.buttons["export"])
        for title, storage in _STORAGES.items():
            self.export_menu.addAction(title).setData(storage)
        self.export_menu.addAction("Package for other programs …").setData(None)
        self.export_menu.triggered.connect(self._ask_where)
        self.buttons["export"].setMenu(self.export_menu)

    def _make_page(self) -> None:
        self.card = CardView()
        self.plot: LossPlot | None = None
        self._curve_rows: list[Progress] = []
        self.tabs = QTabWidget()
        self.tabs.addTab(self.card, "Card")
        self.curves = QWidget()
        QVBoxLayout(self.curves).setContentsMargins(0, 0, 0, 0)
        self.tabs.addTab(self.curves, "Curves")
        self.column.addWidget(self.panel)
        self.column.addWidget(self.tabs, 4)
        self.viewer.events.theme.connect(self._follow_theme)

    @property
    def row(self) -> ZooRow | None:
        """The chosen model."""
        return self.table.row

    def showEvent(self, event: QShowEvent) -> None:
        """Look at the registries whenever the dock comes into view."""
        super().showEvent(event)
        self._watch.begin()
        self.reader.ask(registries=True)

    def on_close(self) -> None:
        """End what runs, and disconnect from the viewer."""
        self.panel.runner.close()
        self.reader.close()
        self.viewer.events.theme.disconnect(self._follow_theme)

    def _on_zoo(self, view: ZooView) -> None:
        self.table.show_rows(view.rows)
        if view.complaints and not self.panel.runner.running:
            self.panel.say("\n".join(view.complaints), trouble=True)

    def _filter(self, _: object = None) -> None:
        self.table.filter(self.task.currentData(), self.search.text())

    def _on_picked(self, row: ZooRow | None) -> None:
        self.card.show_row(row)
        self._show_curves(row)
        self._show_actions()

    def _show_actions(self, _: bool = True) -> None:
        """Enable what can be done with the chosen model; the tooltips of the others say why not."""
        idle, row = not self.panel.runner.running, self.row
        for action, button in self.buttons.items():
            button.setEnabled(idle and row is not None and not row.refusal(action))
            button.setToolTip(row.hint(action) if row is not None else "Choose a model in the table.")
        self.import_button.setEnabled(idle)
        self.panel.bar.setVisible(not idle)
        self.panel.stop_button.setVisible(not idle)

    def _show_curves(self, row: ZooRow | None) -> None:
        self._curve_rows = rows = kept_curves(row.name) if row is not None and row.origin == "own" else []
        if rows and self.plot is None:
            self._make_plot()
        if self.plot is not None:
            self.plot.show_rows(rows)
        self.tabs.setTabEnabled(1, bool(rows))
        self.tabs.setTabToolTip(1, "Losses and validation of its last training." if rows else _NO_CURVES)

    def _make_plot(self) -> None:
        from ..job.loss_plot import LossPlot  # pyqtgraph takes a while, and few models have curves

        self.plot = LossPlot()
        self.plot.set_colours(*theme_colours(self.viewer))
        self.plot.offer_csv(self.curve_rows)
        self.curves.layout().addWidget(self.plot)

    def curve_rows(self) -> list[Progress]:
        """Return the numbers of the curves on screen."""
        return self._curve_rows

    def _follow_theme(self, _event: "Event | None" = None) -> None:
        if self.plot is not None:
            self.plot.set_colours(*theme_colours(self.viewer))

    def _apply(self) -> None:
        if self.row is not None:
            open_dock(self.viewer, APPLY).use_model(self.row.name)

    def _finetune(self) -> None:
        if self.row is not None:
            open_dock(self.viewer, FINETUNE).start_from(self.row.name)

    def _adapt(self) -> None:
        if self.row is not None:
            open_dock(self.viewer, PRETRAIN).start_from(self.row.name)

    def _download(self) -> None:
        """Fetch the chosen model."""
        row = self.row
        if row is None or row.remote is None:
            return
        request = DownloadRequest(row.remote)
        self.panel.run(
            lambda: request.start(RunOptions()), lambda path: path, self._on_downloaded,
            title=f"Downloading '{row.name}' ({row.bytes / 1e6:.2f} MB) …",
        )  # fmt: skip

    def _on_downloaded(self, path: Path | None, _stopped: bool) -> None:
        if path is None:
            self.panel.say("Stopped. Nothing was kept.")
            return
        self._arrived(path, f"Downloaded '{path.stem}'. It is now one of your own models.")

    def _ask_for_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Import models", "", _MODELS)
        if paths:
            self.import_models([Path(path) for path in paths])

    def import_models(self, paths: list[Path]) -> None:
        """Copy model files into the own models."""
        self._do(lambda: import_files(paths), "Importing …", lambda done: self._arrived(done.path, done.describe()))

    def _ask_where(self, action: QAction) -> None:
        row = self.row
        if row is None:
            return
        if action.data() is None:
            self._ask_for_package(row)
            return
        path, _ = QFileDialog.getSaveFileName(
            self, f"Export '{row.name}'", f"{safe_stem(row.name)}.safetensors", _MODELS
        )
        if path:
            self.export(Path(path), action.data())

    def _ask_for_package(self, row: ZooRow) -> None:
        dialog = PackageDialog(row.name, self)
        dialog.exec()
        if (asked := dialog.request) is not None:
            self.panel.run(
                lambda: asked.start(RunOptions()), say_exported, lambda said, _: self.panel.say(said), "Exporting …"
            )

    def export(self, path: Path, storage: Storage) -> None:
        """Write a copy of the chosen model; a file that is there is replaced, the file dialog has asked."""
        row = self.row
        if row is not None:
            self._do(lambda: export(row, path, storage), "Exporting …", self.panel.say)

    def _ask_for_name(self) -> None:
        row = self.row
        if row is None:
            return
        name, agreed = QInputDialog.getText(self, "Rename a model", "New name:", text=row.name)
        if agreed and name.strip() != row.name:
            self.rename(name.strip())

    def rename(self, name: str) -> None:
        """Give the chosen model another name."""
        row = self.row
        if row is not None:
            words = f"'{row.name}' is now '{name}'."
            self._do(lambda: rename(row, name), "Renaming …", lambda path: self._arrived(path, words))

    def _ask_whether(self) -> None:
        row = self.row
        if row is None:
            return
        question = f"Delete '{row.name}'? This cannot be undone:\n{row.path}"
        answer = QMessageBox.question(
            self, "Delete a model", question, QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
            QMessageBox.StandardButton.No,
        )  # fmt: skip
        if answer == QMessageBox.StandardButton.Yes:
            self._do(lambda: delete(row), "Deleting …", lambda _: self._changed(f"Deleted '{row.name}'."))

    def _do(self, work: Callable[[], T], title: str, show: Callable[[T], None]) -> None:
        """Work in a thread on files of any size; errors are shown by the panel."""
        request = FileRequest(work)
        self.panel.run(
            lambda: request.start(RunOptions()), lambda result: result, lambda result, _: show(result), title=title
        )

    def _arrived(self, path: Path, sentence: str) -> None:
        """Choose a model that was just added, and make sure that it is shown."""
        self.task.setCurrentIndex(0)
        self.search.clear()
        self.table.want(str(path), path.stem)
        self._changed(sentence)

    def _changed(self, sentence: str) -> None:
        self.panel.say(sentence)
        zoo_news.changed.emit()
