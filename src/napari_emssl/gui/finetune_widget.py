"""The dock "EM SSL Fine-tune": paint, train, look, apply."""

from datetime import datetime
from typing import Any

from qtpy.QtWidgets import QLineEdit, QPushButton
from superqt import QCollapsible

from ..errors import UserError
from ..jobs.settings import ApplySettings, FinetuneSettings
from ..models.zoo import recommended_start
from .applying import start_applying
from .dock import Dock, beside
from .fields import Combo, IntegerBox
from .finetuning import FinetuneOrder, Trained, free_name, make_job, put_into_zoo
from .form import SettingsForm
from .job_panel import JobPanel
from .layers import brush_size, new_painting
from .paintings import painting_path, slug
from .pickers import DevicePicker, ModelPicker, layer_picker, zoo_news
from .plane_follower import PlaneFollower
from .requests import apply_request, training_request
from .results import Preview

_UNPAINTED = {
    "background near paint": "near",
    "ignored": "ignored",
    "background everywhere": "background",
}
_ADVANCED = (
    "steps", "epochs", "batch_size", "patch", "learning_rate", "seed", "validation", "validation_interval",
    "augment", "precision", "generator", "width",
)  # fmt: skip
_SECONDS = 45.0


class FinetuneWidget(Dock):
    """Trains a model on a few painted particles of an open image, and applies it.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.

    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.trained: Trained | None = None
        self._trained_on: Any = None
        self.preview = Preview(napari_viewer)
        self.follower = PlaneFollower(napari_viewer, self)
        self.follower.moved.connect(self._on_plane)
        self._make_inputs()
        self._make_settings()
        self._make_panel()
        self.reset_choices()
        self._choose_active()

    def _make_inputs(self) -> None:
        self.image = layer_picker(self.viewer, "Image")
        self.painting = layer_picker(self.viewer, "Labels")
        self.image.changed.connect(self._on_image)
        self.new_painting_button = QPushButton("New")
        self.new_painting_button.setToolTip("Make an empty Labels layer on the image's grid and take the brush.")
        self.new_painting_button.clicked.connect(self.add_painting)
        self.unpainted = Combo()
        for text, value in _UNPAINTED.items():
            self.unpainted.addItem(text, value)
        self.background = IntegerBox(1, 65535, empty="none")
        self.add_row("Image", self.image.native, "The image, or stack, with paint on it.")
        self.add_row("Painting", beside(self.painting.native, self.new_painting_button),
                     "The Labels layer that holds the painted particles.")  # fmt: skip
        self.add_row("Unpainted", self.unpainted, "What the training takes unpainted pixels for.")
        self.add_row("Background", self.background, "A label with which background was painted, if any.")

    def _make_settings(self) -> None:
        self.start = ModelPicker(starts=True)
        self.start.currentIndexChanged.connect(lambda _: self.start.pick(self.start.picked()))
        self.start.pick(recommended_start())
        self.device = DevicePicker()
        defaults = FinetuneSettings(task="segment", max_seconds=_SECONDS)
        self.basic = SettingsForm(defaults, ["max_seconds"])
        self.advanced = SettingsForm(defaults, _ADVANCED)
        self.name = QLineEdit()
        self.name.setToolTip("The model is put into the zoo under this name.")
        self.name.textEdited.connect(lambda text: self.name.setModified(bool(text)))
        self.add_row("Start from", self.start)
        self.add_row("Device", self.device)
        self.add_row("Time budget (s)", self.basic.rows["max_seconds"].widget)
        self.add_row("Save as", self.name)
        self.more = QCollapsible("Advanced settings")
        self.more.setDuration(0)
        self.more.setContent(self.advanced)
        self.more.collapse(animate=False)
        self.column.addWidget(self.more)

    def _make_panel(self) -> None:
        self.panel = JobPanel(self.viewer, "Start", pausable=True, plot=True)
        self.panel.start_requested.connect(self.begin)
        self.panel.preview.connect(self._on_preview)
        self.panel.idle.connect(self._on_idle)
        self.apply_button = QPushButton("Apply to this layer")
        self.apply_button.setToolTip("Segment every plane of the image with the new model.")
        self.apply_button.clicked.connect(self.apply)
        self.apply_button.hide()
        self.panel.extra.addWidget(self.apply_button)
        self.column.addWidget(self.panel, 1)

    def reset_choices(self, event: Any = None) -> None:
        """Read the viewer's layers anew; napari calls this when they change."""
        self.image.reset_choices(event)
        self.painting.reset_choices(event)
        if not self.panel.runner.running and self._trained_on not in self.viewer.layers:
            self._trained_on = None
            self.follower.forget()
        self._suggest_name()

    def _choose_active(self) -> None:
        active = self.viewer.layers.selection.active
        if active in self.image.choices:
            self.image.value = active
        self._on_image()

    def _on_image(self, _: Any = None) -> None:
        """Pick the painting that belongs to the image, and suggest a name."""
        own = [labels for labels in self.painting.choices if _belongs(labels, self.image.value)]
        if own and not _belongs(self.painting.value, self.image.value):
            self.painting.value = own[-1]
        self._suggest_name()

    def _suggest_name(self) -> None:
        """Suggest a name unless the user has written one."""
        if self.name.isModified() and self.name.text():
            return
        image = self.image.value
        self._set_name(f"{slug(image.name, 24)} {datetime.now():%Y-%m-%d %H%M}" if image is not None else "")

    def _set_name(self, name: str) -> None:
        self.name.setText(name)
        self.name.setCursorPosition(0)

    def add_painting(self) -> None:
        """Make an empty painting on the image's grid, pick it, and put the brush into the user's hand."""
        image = self.image.value
        if image is None:
            self.panel.say("There is no image layer to paint on. Open an image first.", trouble=True)
            return
        try:
            data, where = new_painting(image)
        except UserError as error:
            self.panel.complain(error)
            return
        layer = self.viewer.add_labels(data, **where)
        layer.brush_size = brush_size(data.shape)
        layer.mode = "paint"
        self.viewer.layers.selection.active = layer
        self.reset_choices()
        self.painting.value = layer
        self.panel.say("Paint a few particles with label 1, whole and to the edge, then press Start.")

    def begin(self) -> None:
        """Start the training, or say what is missing."""
        try:
            order = self._order()
        except UserError as error:
            self.panel.complain(error)
            return
        self.trained, self._trained_on = None, self.image.value
        self.preview.begin(order.request.source, below=self.painting.value)
        self.panel.run(
            lambda: make_job(order), lambda model: put_into_zoo(model, order), self._on_trained,
            title="Starting; the first time this takes a few seconds …", training=True,
        )  # fmt: skip
        self.panel.note(f"The painting is kept in {order.painting_path}")
        self.follower.begin(self.image.value, order.request.source, self.panel.runner.handle)

    def _order(self) -> FinetuneOrder:
        """Resolve what is on screen and in the layers; raises `UserError` with what is missing."""
        background = self.background.number()
        request = training_request(self.image.value, self.painting.value, self.unpainted.currentData(), background)
        self._suggest_name()
        name = free_name(self.name.text().strip())
        self._set_name(name)
        return FinetuneOrder(
            request, self.settings(), self.start.picked(), name, painting_path(request, datetime.now())
        )

    def settings(self) -> FinetuneSettings:
        """Return the settings as they stand on screen."""
        settings: FinetuneSettings = self.advanced.settings()
        seconds = self.basic.settings().max_seconds
        return settings.model_copy(update={"max_seconds": seconds, "device": self.device.currentText()})

    def _on_preview(self, images: Any) -> None:
        if "prediction" in images:
            self.preview.show(images["prediction"])

    def _on_plane(self) -> None:
        """A prediction belongs to its plane: blank it until the next one comes, for good when none will."""
        (self.preview.blank if self.panel.runner.running else self.preview.remove)()

    def _on_trained(self, result: Trained, stopped: bool) -> None:
        self.trained = result
        zoo_news.changed.emit()
        self.name.setModified(False)
        self.panel.say(result.sentence(stopped))

    def _on_idle(self, idle: bool) -> None:
        self.apply_button.setVisible(self.trained is not None)
        self.apply_button.setEnabled(idle)

    def apply(self) -> None:
        """Apply the new model to the layer it was trained on."""
        image = self._trained_on if self._trained_on in self.viewer.layers else self.image.value
        try:
            request = apply_request(image, self.trained.name if self.trained else None)
        except UserError as error:
            self.panel.complain(error)
            return
        settings = ApplySettings(device=self.device.currentText())
        start_applying(self.panel, self.viewer, request, settings, self.preview.remove)


def _belongs(labels: Any, image: Any) -> bool:
    """Whether a Labels layer is named as the painting of an image."""
    return labels is not None and image is not None and labels.name.startswith(f"{image.name} | painting")
