"""The way *Segment*: an image and its painting."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from numpy.typing import NDArray
from qtpy.QtWidgets import QPushButton

from ..errors import UserError
from ..jobs.settings import FinetuneSettings
from .dock import beside
from .fields import Combo, IntegerBox
from .finetuning import Draft, Order, start_segmenting
from .layers import brush_size, new_painting
from .paintings import painting_path
from .pickers import layer_picker
from .requests import training_request
from .results import Preview
from .training_page import AUTOSAVE_SECONDS, TrainingPage

_UNPAINTED = {
    "background near paint": "near",
    "ignored": "ignored",
    "background everywhere": "background",
}
_ADVANCED = (
    "steps", "epochs", "batch_size", "patch", "learning_rate", "seed", "validation", "validation_interval",
    "augment", "precision", "generator", "width", "autosave_seconds",
)  # fmt: skip


class SegmentPage(TrainingPage):
    """Trains a model on a few painted particles.

    Parameters
    ----------
    viewer
        The viewer whose layers it learns from.

    """

    title = "Segment"
    hint = "Paint a few particles; the model finds all others."
    apply_hint = "Segment every plane of the image with the new model."

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer, FinetuneSettings(task="segment", autosave_seconds=AUTOSAVE_SECONDS), _ADVANCED)
        self.preview = Preview(viewer)
        self.painting = layer_picker(viewer, "Labels")
        self.new_painting_button = QPushButton("New")
        self.new_painting_button.setToolTip("Make an empty Labels layer on the image's grid and take the brush.")
        self.new_painting_button.clicked.connect(self.add_painting)
        self.unpainted = Combo()
        for text, value in _UNPAINTED.items():
            self.unpainted.addItem(text, value)
        self.background = IntegerBox(1, 65535, empty="none")
        self._lay_out()

    def _lay_out(self) -> None:
        self.add_row("Image", self.image.native, "The image, or stack, with paint on it.")
        self.add_row("Painting", beside(self.painting.native, self.new_painting_button),
                     "The Labels layer that holds the painted particles.")  # fmt: skip
        self.add_row("Unpainted", self.unpainted, "What the training takes unpainted pixels for.")
        self.add_row("Background", self.background, "A label with which background was painted, if any.")

    def reset_choices(self, event: Any = None) -> None:
        """Read the viewer's layers anew, in every picker."""
        super().reset_choices(event)
        self.painting.reset_choices(event)

    def on_image(self) -> None:
        """Pick the painting that belongs to the image."""
        own = [labels for labels in self.painting.choices if _belongs(labels, self.image.value)]
        if own and not _belongs(self.painting.value, self.image.value):
            self.painting.value = own[-1]
        super().on_image()

    def add_painting(self) -> None:
        """Make an empty painting on the image's grid, pick it, and put the brush into the user's hand."""
        image = self.image.value
        if image is None:
            self.said.emit("There is no image layer to paint on. Open an image first.", True)
            return
        try:
            data, where = new_painting(image)
        except UserError as error:
            self.said.emit(str(error), True)
            return
        layer = self.viewer.add_labels(data, **where)
        layer.brush_size = brush_size(data.shape)
        layer.mode = "paint"
        self.viewer.layers.selection.active = layer
        self.reset_choices()
        self.painting.value = layer
        self.said.emit("Paint a few particles with label 1, whole and to the edge, then press Start.", False)

    def order(self, draft: Draft) -> Order:
        """Resolve image and painting; raises `UserError` with what is missing."""
        background = self.background.number()
        request = training_request(self.image.value, self.painting.value, self.unpainted.currentData(), background)
        path = painting_path(request, datetime.now())
        return Order(
            draft, self.image.value, request.source, partial(start_segmenting, request, path),
            notes=(f"The painting is kept in {path}",),
        )  # fmt: skip

    def begin_preview(self, order: Order) -> None:
        """Get ready for the previews of a run."""
        self.preview.begin(order.source, below=self.painting.value)

    def show_preview(self, images: Mapping[str, NDArray[Any]]) -> None:
        """Show the prediction on the plane in view."""
        if "prediction" in images:
            self.preview.show(images["prediction"])

    def blank_preview(self) -> None:
        """Show nothing until the next prediction."""
        self.preview.blank()

    def remove_preview(self) -> None:
        """Take the layer of the prediction away."""
        self.preview.remove()


def _belongs(labels: Any, image: Any) -> bool:
    """Whether a Labels layer is named as the painting of an image."""
    return labels is not None and image is not None and labels.name.startswith(f"{image.name} | painting")
