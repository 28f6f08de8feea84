"""The dock "EM SSL Pretrain": adapt a generator to your own microscope, without any painting."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QLineEdit, QPushButton

from ...data.images.user_folder import safe_stem
from ...errors import UserError
from ...jobs.pretrain_settings import PretrainSettings
from ...models.zoo import free_name
from ..job.dock import FINETUNE, Dock, open_dock
from ..job.job_panel import JobPanel
from ..job.request import RunOptions
from ..layers.layers import pixel_size_nm
from ..models.picker import SCRATCH, GeneratorPicker, zoo_news
from ..training.trained import Trained, autosave_path, put_into_zoo
from ..widgets.form import SettingsForm
from ..widgets.form_layout import align_labels, folded
from ..widgets.pickers import DevicePicker
from .patch_pictures import PatchPictures
from .request import DEFAULTS, PretrainRequest, pretrain_request
from .source_picker import SourcePicker

if TYPE_CHECKING:
    from napari.viewer import Viewer

_ADVANCED = (
    "generator", "width", "refine", "norm", "steps", "epochs", "batch_size", "patch", "learning_rate",
    "learning_rate_decay", "hold_out", "images", "validation", "test", "validation_interval", "noise_min", "noise_max",
    "blur_min", "blur_max", "frozen_norm", "l1_weight", "discriminator_width", "seed", "precision", "layout",
    "hot_pixels", "autosave_seconds",
)  # fmt: skip
_NETWORK = ("generator", "width", "refine", "norm")
_HINT = "Adapts the generator to these images: it learns to restore what is corrupted. No painting is needed."
_UNCHANGED = " No step improved on the initial weights, so these are kept. Give it more time."
_BROUGHT = "The start already has a network. Choose 'scratch' in 'Start from' to set it."


class PretrainDock(Dock):
    """Pretrains a generator on open images, a folder or files, from random weights or from a generator of the zoo.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.

    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__(napari_viewer)
        self.trained: Trained | None = None
        self._latest: tuple[PretrainRequest, RunOptions] | None = None
        """The run under way, or the last one."""
        self._make_inputs()
        self._make_settings()
        self._make_panel()
        self._tick_active()
        self._on_start()
        self._suggest_name()
        self.panel.say(_HINT)

    def _make_inputs(self) -> None:
        self.sources = SourcePicker(self.viewer)
        self.sources.changed.connect(self._on_sources)
        self.start = GeneratorPicker()
        self.start.pick(self.start.recommended)
        self.start.currentIndexChanged.connect(self._on_start)
        self.device = DevicePicker()
        self.basic = SettingsForm(DEFAULTS, ["max_seconds"])
        self.name, self.licence = QLineEdit(), QLineEdit()
        self.name.textEdited.connect(self._on_name)
        self.licence.setPlaceholderText("unknown")
        self.add_row("Learn from", self.sources)
        self.add_row("Start from", self.start)
        self.add_row("Device", self.device)
        self.add_row("Time budget (s)", self.basic.rows["max_seconds"].widget)
        self.add_row("Save as", self.name, "The generator is saved in the zoo under this name.")
        self.add_row(
            "Licence",
            self.licence,
            "Licence of the images, recorded on the model's card.",
        )

    def _make_settings(self) -> None:
        self.advanced = SettingsForm(DEFAULTS, _ADVANCED)
        self._hints = {name: self.advanced.rows[name].widget.toolTip() for name in _NETWORK}
        self.more = folded("Advanced settings", self.advanced)
        self.column.addWidget(self.more)

    def _make_panel(self) -> None:
        self.panel = JobPanel(self.viewer, "Start", pausable=True, plot=True)
        self.panel.start_requested.connect(self.begin)
        self.panel.preview.connect(self._on_preview)
        self.panel.idle.connect(self._on_idle)
        self.panel.runner.failed.connect(self._on_failure)
        self.pictures = PatchPictures()
        self.pictures.setToolTip("A held-out patch, always the same: corrupted, as the generator restores it, clean.")
        self.resume_button = QPushButton("Resume pretraining")
        self.resume_button.setToolTip("Continue from the last autosave, with the images and settings of that run.")
        self.resume_button.clicked.connect(self.resume)
        self.finetune_button = QPushButton("Fine-tune from it")
        self.finetune_button.setToolTip("Open the dock 'EM SSL Fine-tune' with the new generator as its start.")
        self.finetune_button.clicked.connect(self._finetune)
        for widget in (self.resume_button, self.finetune_button):
            widget.hide()
            self.panel.extra.addWidget(widget)
        self.panel.extra.addWidget(self.pictures)
        self.column.addWidget(self.panel, 1)

    def showEvent(self, event: QShowEvent) -> None:
        """Let the forms stand below each other as one."""
        align_labels(self.form, self.advanced.form)
        super().showEvent(event)

    def update_choices(self) -> None:
        """Bring everything that lists layers up to date."""
        self.sources.refresh()
        self._suggest_name()

    def _tick_active(self) -> None:
        """Tick the image that is selected in the viewer."""
        self.sources.refresh()
        active = self.viewer.layers.selection.active
        self.sources.layers.pick([active] if active is not None else [])

    def start_from(self, name: str) -> None:
        """Pick a generator of the zoo to start from, even one that was added a moment ago."""
        self.start.refresh()
        self.start.pick(name)

    def _on_sources(self) -> None:
        """Few images are held out in parts, those of a folder as a whole."""
        if hasattr(self, "panel"):
            self.advanced.rows["hold_out"].set("images" if self.sources.kind == "a folder" else "parts")
            self._suggest_name()
            layers = self.sources.picked_layers
            self.start.describe_for(pixel_size_nm(layers[0]) if layers else None)
            if not self.panel.runner.running:
                self.panel.say(_HINT)

    def _on_start(self, _: int = 0) -> None:
        """Show the network of random weights only where it is the user's to choose."""
        self.start.pick(self.start.picked())
        free = self.start.picked() == SCRATCH
        for name in _NETWORK:
            widget = self.advanced.rows[name].widget
            widget.setEnabled(free)
            widget.setToolTip(self._hints[name] if free else _BROUGHT)

    def _on_name(self, text: str) -> None:
        self.name.setModified(bool(text))

    def _suggest_name(self) -> None:
        """Suggest a name unless the user has written one."""
        if self.name.isModified() and self.name.text():
            return
        title = self.sources.title
        self._set_name(f"{safe_stem(title, 20)} generator {datetime.now():%Y-%m-%d %H%M}" if title else "")

    def _set_name(self, name: str) -> None:
        self.name.setText(name)
        self.name.setCursorPosition(0)

    def settings(self) -> PretrainSettings:
        """Return the settings as they stand on screen."""
        update = {"max_seconds": self.basic.settings().max_seconds, "device": self.device.currentText()}
        return self.advanced.settings().model_copy(update=update)

    def begin(self) -> None:
        """Start the pretraining, or say what is missing."""
        try:
            request, options = self._request()
        except UserError as error:
            self.panel.show_error(error)
            return
        self._set_name(options.name)
        self.pictures.clear()
        self._run(request, options)

    def resume(self) -> None:
        """Resume a pretraining that died from its last autosave."""
        if self._latest is not None:
            request, options = self._latest
            self._run(request, options.resumed())

    def _request(self) -> tuple[PretrainRequest, RunOptions]:
        """Resolve what is on screen; raises `UserError` with what is missing."""
        self._suggest_name()
        wanted = self.name.text().strip()
        name = free_name(wanted) if wanted else ""
        licence = self.licence.text().strip()
        sources = self.sources
        request = pretrain_request(
            sources.picked_layers, sources.paths, self.settings(), self.start.picked(), licence
        )  # fmt: skip
        if not name:
            raise UserError("The generator has no name. Enter one in 'Save as'.")
        return request, RunOptions(name, autosave_path(name))

    def _run(self, request: PretrainRequest, options: RunOptions) -> None:
        self._latest, self.trained = (request, options), None
        self.resume_button.hide()
        self.panel.run(
            lambda: request.start(options), lambda model: put_into_zoo(model, options), self._on_trained,
            title="Starting; the first time this takes a few seconds …", training=True,
        )  # fmt: skip

    def _on_preview(self, images: Mapping[str, NDArray[np.generic]]) -> None:
        self.pictures.show_images(images)

    def _on_trained(self, result: Trained, stopped: bool) -> None:
        self.trained = result
        self.panel.record.keep(result.name)
        zoo_news.changed.emit()
        self.name.setModified(False)
        unchanged = result.card.history[-1].steps == 0
        self.panel.say(f"{result.describe(stopped)}{_UNCHANGED if unchanged else ''}")

    def _on_failure(self, error: BaseException) -> None:
        """Offer the last autosave of a pretraining that died."""
        autosave = self._latest[1].autosave if self._latest is not None else None
        if autosave is not None and autosave.is_file():
            self.resume_button.show()
            self.panel.say(f"{error} Press 'Resume pretraining' to continue from it.", trouble=True)

    def _on_idle(self, _idle: bool) -> None:
        self.finetune_button.setVisible(self.trained is not None)

    def _finetune(self) -> None:
        if self.trained is not None:
            open_dock(self.viewer, FINETUNE).start_from(self.trained.name)
