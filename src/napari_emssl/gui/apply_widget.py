"""The dock "EM SSL Apply model": a model of the zoo on the plane in view or on a whole layer."""

from typing import Any

from qtpy.QtWidgets import QFileDialog, QPushButton
from superqt import QCollapsible

from ..errors import UserError
from ..jobs.settings import ApplySettings
from ..models.file import read_card
from .applying import start_applying
from .dock import Dock, beside
from .fields import Combo
from .form import SettingsForm
from .job_panel import JobPanel
from .layers import plane_in_view
from .pickers import DevicePicker, ModelPicker, layer_picker
from .requests import ApplyRequest, apply_request

_ADVANCED = ("tile", "halo", "batch_size", "precision")


class ApplyWidget(Dock):
    """Applies a model to an open image, stack or lazily read layer.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.

    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._make_inputs()
        self.panel = JobPanel(napari_viewer, "Apply")
        self.panel.start_requested.connect(self.begin)
        self.column.addWidget(self.panel)
        self.column.addStretch(1)
        self.reset_choices()
        active = napari_viewer.layers.selection.active
        if active in self.image.choices:
            self.image.value = active

    def _make_inputs(self) -> None:
        self.image = layer_picker(self.viewer, "Image")
        self.model = ModelPicker(starts=False)
        self.open_button = QPushButton("Open file …")
        self.open_button.setToolTip("Use a model file that is not in the zoo.")
        self.open_button.clicked.connect(self._ask_for_file)
        self.scope = Combo()
        self.scope.addItem("whole layer", False)
        self.scope.addItem("plane in view", True)
        self.device = DevicePicker()
        self.augment = SettingsForm(ApplySettings(), ["test_time_augmentation"])
        self.advanced = SettingsForm(ApplySettings(), _ADVANCED)
        self.add_row("Model", beside(self.model, self.open_button))
        self.add_row("Image", self.image.native, "The image or stack; dask, zarr and multiscale layers too.")
        self.add_row("Apply to", self.scope, "The plane in view is quick; a stack is done plane by plane.")
        self.add_row("Device", self.device)
        self.add_row("8-fold average", self.augment.rows["test_time_augmentation"].widget)
        self.more = QCollapsible("Advanced settings")
        self.more.setDuration(0)
        self.more.setContent(self.advanced)
        self.more.collapse(animate=False)
        self.column.addWidget(self.more)

    def reset_choices(self, event: Any = None) -> None:
        """Read the viewer's layers anew; napari calls this when they change."""
        self.image.reset_choices(event)

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a model", "", "Models (*.safetensors)")
        if path:
            self.open_model(path)

    def open_model(self, path: str) -> None:
        """List a model file and pick it, or say what is wrong with it."""
        try:
            card = read_card(path)
        except UserError as error:
            self.panel.complain(error)
            return
        self.model.add_file(path)
        self.panel.say(f"Opened '{card.name}', a {card.network.name} for the task {card.task}.")

    def use_model(self, name: str) -> None:
        """Pick a model of the zoo, one that has only just come included."""
        self.model.refresh()
        self.model.pick(name)

    def settings(self) -> ApplySettings:
        """Return the settings as they stand on screen."""
        settings: ApplySettings = self.advanced.settings()
        augment = self.augment.settings().test_time_augmentation
        return settings.model_copy(update={"test_time_augmentation": augment, "device": self.device.currentText()})

    def begin(self) -> None:
        """Apply the model, or say what is missing."""
        try:
            start_applying(self.panel, self.viewer, self._request(), self.settings())
        except UserError as error:
            self.panel.complain(error)

    def _request(self) -> ApplyRequest:
        image = self.image.value
        one_plane = image is not None and bool(self.scope.currentData())
        return apply_request(image, self.model.picked(), plane_in_view(image, self.viewer) if one_plane else None)
