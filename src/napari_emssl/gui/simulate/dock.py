"""The dock "EM SSL Simulate": STEM images of your own crystal, and a model trained on them."""

from pathlib import Path
from typing import TYPE_CHECKING, Union

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFileDialog, QLineEdit, QPushButton

from ...errors import UserError
from ...jobs.settings import SimulateSettings
from ..job.dock import FINETUNE, Dock, hbox, open_dock
from ..job.job_panel import JobPanel
from ..job.request import RunOptions
from ..layers.matching import TARGET_KINDS
from ..widgets.fields import combo_box
from ..widgets.form import SettingsForm
from ..widgets.form_layout import align_labels
from .form import SimulateForm
from .layers import FINE, IMAGE, SimulatedLayers
from .request import SimulateRequest, simulate_request

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from ...simulation.job import Simulated

_LESSONS = {
    "denoise": ("denoise", TARGET_KINDS["denoise"]),
    "remove background": ("remove-background", TARGET_KINDS["remove-background"]),
    "super-resolve": ("super-resolve", TARGET_KINDS["super-resolve"]),
    "super-resolve to a 2x finer grid": ("super-resolve", FINE),
}
"""What can be learnt from simulated images: the task, and which truth it needs."""


class SimulateDock(Dock):
    """Simulates ADF-STEM images whose truth is known, as layers or as files.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.

    """

    needs = ("napari_emssl.simulation.job",)

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__(napari_viewer)
        self.example = SimulatedLayers(napari_viewer)
        self.made = SimulatedLayers(napari_viewer)
        self.simulated = SimulateForm(napari_viewer)
        self.column.insertWidget(0, self.simulated)
        self._make_options()
        self._make_panel()
        self.simulated.reported.connect(self.panel.say)
        self.reset_choices()

    def _make_options(self) -> None:
        self.options = SettingsForm(SimulateSettings(), ["count", "seed", "format"])
        self.into = combo_box({"layers of this viewer": False, "a folder, as TEM-ImageNet": True})
        self.folder = QLineEdit()
        self.folder_button = QPushButton("Choose …")
        self.folder_button.clicked.connect(self._ask_for_folder)
        self.add_row("Images", hbox(self.options.rows["count"].widget), "How many images 'Simulate' makes.")
        self.add_row("Seed", self.options.rows["seed"].widget)
        self.add_row("Into", self.into, "Layers to look at and to learn from here, or files for later.")
        self.add_row("Folder", hbox(self.folder, self.folder_button), "An empty folder, or a new one.")
        self.add_row("Files", self.options.rows["format"].widget)
        self.into.currentIndexChanged.connect(lambda _: self._show_folder())
        self._show_folder()

    def _make_panel(self) -> None:
        self.preview_button = QPushButton("Preview one")
        self.preview_button.setToolTip("Simulate the first of these images and show it with its truth.")
        self.preview_button.clicked.connect(self.preview)
        self.panel = JobPanel(self.viewer, "Simulate")
        self.panel.start_requested.connect(self.begin)
        self.panel.idle.connect(self._on_idle)
        self.lesson = combo_box(_LESSONS)
        self.teach_button = QPushButton("Fine-tune on these")
        self.teach_button.setToolTip("Open the fine-tune dock with these images and their truth as pairs.")
        self.teach_button.clicked.connect(self.teach)
        self.teaching = hbox(self.lesson, self.teach_button)
        self.teaching.hide()
        self.panel.extra.addWidget(self.teaching)
        self.column.addWidget(self.preview_button)
        self.column.addWidget(self.panel)
        self.column.addStretch(1)

    def showEvent(self, event: QShowEvent) -> None:
        """Let the forms stand below each other as one."""
        align_labels(self.form, *self.simulated.forms)
        super().showEvent(event)

    def update_choices(self) -> None:
        """Bring everything that lists layers up to date."""
        self.simulated.reset_choices()
        self._offer_teaching()

    def _show_folder(self) -> None:
        to_folder = bool(self.into.currentData())
        for field in (self.folder.parentWidget(), self.options.rows["format"].widget):
            field.setVisible(to_folder)
            self.form.labelForField(field).setVisible(to_folder)

    def _ask_for_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Write simulated images to")
        if folder:
            self.folder.setText(folder)

    def _on_idle(self, idle: bool) -> None:
        self.preview_button.setEnabled(idle)
        self._offer_teaching()

    def _offer_teaching(self) -> None:
        self.teaching.setVisible(self.made.alive(IMAGE))
        self.teach_button.setEnabled(not self.panel.runner.running)

    def preview(self) -> None:
        """Simulate one image and show it, in place of the one before."""
        self._start(preview=True)

    def begin(self) -> None:
        """Simulate as many images as asked for, or say what is missing."""
        self._start(preview=False)

    def _start(self, preview: bool) -> None:
        try:
            folder = None if preview else self._folder()
            request = simulate_request(self.simulated.settings(), self.options.settings(), folder, preview)
        except UserError as error:
            self.panel.show_error(error)
            return
        layers = self.example if preview else SimulatedLayers(self.viewer)
        self.panel.run(
            lambda: request.start(RunOptions()),
            lambda made: made,
            lambda made, stopped: self._on_made(request, layers, made, stopped),
            title="Simulating …",
        )

    def _folder(self) -> Path | None:
        """Where files go; None for layers."""
        if not self.into.currentData():
            return None
        if not self.folder.text().strip():
            raise UserError("No folder is given. Choose an empty one, or type the name of a new one.")
        return Path(self.folder.text().strip()).expanduser()

    def _on_made(
        self, request: SimulateRequest, layers: SimulatedLayers, made: Union["Simulated", int], stopped: bool
    ) -> None:
        """Show what was made: images, or their number where they are in a folder."""
        count = made if isinstance(made, int) else len(made)
        text = f"{'Stopped after' if stopped else 'Made'} {count} image{'s' * (count != 1)}"
        if isinstance(made, int):
            self.panel.say(f"{text}, in {request.folder} with {'its' if count == 1 else 'their'} truth.")
            return
        layers.show(made, request.name, request.preview)
        if not request.preview:
            self.example.hide()
            self.made = layers
            self._offer_teaching()
        size = made.pixel_size_nm
        scale = f" with pixels of {size:.4g} nm" if size else "; pixel sizes differ, so the layers carry none"
        self.panel.say(f"{text}{scale}.")

    def teach(self) -> None:
        """Open the fine-tune dock with the simulated pairs filled in."""
        task, kind = self.lesson.currentData()
        if not self.made.alive(IMAGE, kind):
            self.panel.say("The layers of this simulation are gone. Simulate again, then fine-tune.", trouble=True)
            return
        pair = self.made.by_kind[IMAGE], self.made.by_kind[kind]
        open_dock(self.viewer, FINETUNE).show_page("Restore").use_pairs(task, [pair])
