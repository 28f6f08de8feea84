"""The dock "EM SSL Apply model": a model of the zoo on the plane in view, layers, or the files of a folder."""

from typing import TYPE_CHECKING, Literal

from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFileDialog, QPushButton

from ...errors import UserError
from ...inference.zarr_progress import AlreadyDoneError
from ...jobs.settings import ApplySettings
from ...models.model_file import read_card
from ..job.dock import Dock, hbox
from ..job.job_panel import JobPanel
from ..job.request import RunOptions
from ..layers.layers import plane_in_view
from ..models.picker import ModelPicker
from ..widgets.fields import combo_box
from ..widgets.folder_line import FolderLine
from ..widgets.form import SettingsForm
from ..widgets.form_layout import align_labels, folded
from ..widgets.layer_list import LayerList
from ..widgets.message import MessageLabel
from ..widgets.pickers import DevicePicker, layer_picker
from .destination import choose_destination, describe_run
from .destination_picker import DestinationPicker
from .folder_request import FolderRequest, folder_request
from .on_demand import LazyResult
from .profiles import profile_news, profile_of
from .request import ApplyRequest, Selection, apply_request, check_fits, select
from .start import start_applying

if TYPE_CHECKING:
    from napari.viewer import Viewer

_ADVANCED = ("tile", "halo", "batch_size", "precision")
_CALM_MS = 150
Scope = Literal["layer", "plane", "several", "folder"]
_SCOPES: dict[str, Scope] = {
    "whole layer": "layer", "plane in view": "plane", "several layers": "several", "files of a folder": "folder"
}  # fmt: skip


class ApplyDock(Dock):
    """Applies a model to open images, stacks or lazily read layers, and says beforehand what it needs.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.

    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__(napari_viewer)
        self.gone = False
        self._make_inputs()
        self._make_settings()
        self._make_panel()
        self._watch_inputs()
        self.reset_choices()
        active = napari_viewer.layers.selection.active
        if active in self.image.choices:
            self.image.value = active
        self._on_scope()

    def _make_inputs(self) -> None:
        self.image = layer_picker(self.viewer, "Image")
        self.layers = LayerList(self.viewer)
        self.folder = FolderLine("Apply to the images of a folder")
        self.model = ModelPicker(starts=False)
        self.open_button = QPushButton("Open file …")
        self.open_button.setToolTip("Use a model file that is not in the zoo.")
        self.open_button.clicked.connect(self._ask_for_file)
        self.scope = combo_box(_SCOPES)
        self.place = DestinationPicker()
        self.add_row("Model", hbox(self.model, self.open_button))
        self.add_row("Apply to", self.scope, "The plane in view takes a moment; a stack is processed plane by plane.")
        self.add_row("Image", self.image.native, "The image or stack; dask, zarr and multiscale layers too.")
        self.add_row("Images", self.layers, "The model is applied to the ticked images.")
        self.add_row("Folder", self.folder, "Its image files, also those of its sub-folders; they need not be open.")
        self.add_row("Result", self.place, "Where the result goes.")

    def _make_settings(self) -> None:
        self.device = DevicePicker()
        self.augment = SettingsForm(ApplySettings(), ["test_time_augmentation"])
        self.advanced = SettingsForm(ApplySettings(), _ADVANCED)
        self.add_row("Device", self.device)
        self.add_row("8-fold average", self.augment.rows["test_time_augmentation"].widget)
        self.more = folded("Advanced settings", self.advanced)
        self.column.addWidget(self.more)

    def _make_panel(self) -> None:
        self.plan = MessageLabel()
        self.column.addWidget(self.plan)
        self.panel = JobPanel(self.viewer, "Apply")
        self.panel.start_requested.connect(self.begin)
        self.panel.idle.connect(self._on_idle)
        self.column.addWidget(self.panel)
        self.column.addStretch(1)

    def _watch_inputs(self) -> None:
        """Say again what a run will do when anything changes that it depends on."""
        self._calm = QTimer(self, singleShot=True, interval=_CALM_MS)
        self._calm.timeout.connect(self.update_estimate)
        self.scope.currentIndexChanged.connect(self._on_scope)
        self.image.changed.connect(self._on_input)
        for signal in (
            self.model.currentIndexChanged, self.device.currentIndexChanged, self.layers.ticked, self.place.changed,
            self.folder.changed, profile_news.changed, self.augment.changed, self.advanced.changed,
        ):  # fmt: skip
            signal.connect(self._on_input)

    def _on_input(self, *_: object) -> None:
        self.panel.on_inputs()
        self._calm.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Let the forms stand below each other as one."""
        align_labels(self.form, self.advanced.form)
        super().showEvent(event)

    def update_choices(self) -> None:
        """Bring everything that lists layers up to date."""
        self.image.reset_choices()
        self.layers.refresh()
        self._calm.start()

    @property
    def _by_folder(self) -> bool:
        """Whether files are asked for, and no layers."""
        return bool(self.scope.currentData() == "folder")

    def _on_scope(self, _: int = 0) -> None:
        scope: Scope = self.scope.currentData()
        several = scope == "several"
        if several and not self.layers.picked():
            self.layers.pick(list(self.viewer.layers.selection))
        if several and not self.layers.picked():
            self.layers.pick([self.image.value])
        self.form.setRowVisible(self.image.native, scope in ("layer", "plane"))
        self.form.setRowVisible(self.layers, several)
        self.form.setRowVisible(self.folder, self._by_folder)
        self.place.box.setVisible(not self._by_folder)
        self._calm.start()

    def _on_idle(self, idle: bool) -> None:
        if idle:
            self._calm.start()

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a model", "", "Models (*.safetensors)")
        if path:
            self.open_model(path)

    def open_model(self, path: str) -> None:
        """List a model file and pick it, or say what is wrong with it."""
        try:
            card = read_card(path)
        except UserError as error:
            self.panel.show_error(error)
            return
        self.model.add_file(path)
        self.panel.say(f"Opened '{card.name}', a {card.network.name} for the task {card.task}.")

    def use_model(self, name: str) -> None:
        """Pick a model of the zoo, even one that was added a moment ago."""
        self.model.refresh()
        self.model.pick(name)

    def settings(self) -> ApplySettings:
        """Return the settings as they stand on screen."""
        augment = self.augment.settings().test_time_augmentation
        update = {"test_time_augmentation": augment, "device": self.device.currentText()}
        return self.advanced.settings().model_copy(update=update)

    def update_estimate(self) -> None:
        """Say what a run would do, and whether it can be done; during a run its own messages stay."""
        if self.panel.runner.running:
            return
        try:
            if self._by_folder:
                self.place.ask_for_folder(True)
                self.plan.show_text(self._folder_request().describe())
                return
            request = self._request()
            self.place.ask_for_folder(request.destination.place == "disk")
            self.plan.show_text(describe_run(request, profile_of(request.card, request.settings)))
            check_fits(request)
        except UserError as error:
            nothing_yet = self.folder.folder is None if self._by_folder else not self.viewer.layers
            expected = isinstance(error, AlreadyDoneError) or nothing_yet
            self.plan.show_text(str(error), trouble=not expected)

    def _request(self) -> ApplyRequest:
        """Resolve what is on screen; raises `UserError` with what is missing."""
        request = apply_request(self._selections(), self.model.picked(), self.settings())
        place, overwrite = self.place, self.place.replace.isChecked()
        return request.going_to(choose_destination(place.wanted, request, place.folder, overwrite))

    def _folder_request(self) -> FolderRequest:
        """Resolve what is on screen for a folder; raises `UserError` with what is missing."""
        results, overwrite = self.place.results.folder, self.place.replace.isChecked()
        return folder_request(self.folder.folder, self.model.picked(), self.settings(), results, overwrite)

    def _selections(self) -> list[Selection]:
        scope: Scope = self.scope.currentData()
        if scope == "several":
            images = self.layers.picked()
            if not images:
                raise UserError("No image is ticked. Tick the images to apply the model to.")
            return [select(image) for image in images]
        image = self.image.value
        at_plane = scope == "plane" and image is not None
        return [select(image, plane_in_view(image, self.viewer) if at_plane else None)]

    def begin(self) -> None:
        """Apply the model, or say what is missing."""
        try:
            if self._by_folder:
                self._apply_to_folder(self._folder_request())
                return
            request = self._request()
            if request.destination.place == "lazy":
                self._look(request)
            else:
                start_applying(self.panel, self.viewer, request)
        except UserError as error:
            self.panel.show_error(error)

    def _apply_to_folder(self, request: FolderRequest) -> None:
        """Run the job in the panel, and say what there is when it ends."""
        self.panel.run(
            lambda: request.start(RunOptions()),
            lambda done: done,
            lambda done, stopped: self.panel.say(request.told(done, stopped)),
            title=f"Applying the model to {request.title} …",
        )

    def _look(self, request: ApplyRequest) -> None:
        """Add layers that are computed when they are viewed."""
        for selection in request.selections:
            LazyResult(self.viewer, request, selection, self._say)
        names = ", ".join(f"'{selection.source.name}'" for selection in request.selections)
        self.panel.say(f"The result of {names} is computed for the planes you view; the first one takes a few seconds.")

    def _say(self, text: str, trouble: bool) -> None:
        """Show a message of a layer that may outlive this dock."""
        if not self.gone and not self.panel.runner.running:
            self.panel.say(text, trouble)

    def on_close(self) -> None:
        """End the job; layers that are computed when they are viewed stay alive."""
        self.gone = True
        super().on_close()
