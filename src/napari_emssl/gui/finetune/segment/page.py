"""The way *Segment*: images and what is painted on them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QPushButton

from ....errors import UserError
from ....jobs.settings import FinetuneSettings
from ...apply.request import select
from ...apply.result_layer import show_result
from ...job.dock import hbox
from ...layers.layers import LayerSnapshot, brush_size, new_painting
from ...layers.matching import ALL_PAINTED, painting_of, regions_of_image, shape_of
from ...layers.previews import PreviewLayer, UncertaintyLayer
from ...layers.watched_layer import WatchedLayer
from ...training.page import AUTOSAVE_SECONDS, TrainingPage
from ...widgets.fields import combo_box
from ...widgets.pickers import layer_picker
from ..painting.class_table import ClassTable
from ..painting.classes import painted_labels
from ..painting.minute_saver import OpenPainting
from ..painting.paint_tools import PaintTools
from ..painting.regions import new_regions
from .image_list import ImageList
from .keep_row import KeepRow, card_of_look
from .live_preview import LivePreview
from .preview_snapshot import Inputs
from .request import Pair, SegmentRequest, segment_request

if TYPE_CHECKING:
    from napari.layers import Labels, Shapes
    from napari.utils.events import Event
    from napari.viewer import Viewer

_UNPAINTED = {"background near paint": "near", "ignored": "ignored", "background everywhere": "background"}
_ADVANCED = (
    "steps", "epochs", "batch_size", "patch", "learning_rate", "warm_rate", "seed", "validation", "validation_interval",
    "patience", "augment", "precision", "generator", "width", "norm", "autosave_seconds",
)  # fmt: skip


class SegmentPage(TrainingPage[SegmentRequest]):
    """Trains a model on a few painted particles of one image or of several.

    Parameters
    ----------
    viewer
        The viewer whose layers it learns from.

    """

    title = "Segment"
    hint = "Press Particle and paint one particle: the others are found at once."
    apply_hint = "Segment every plane of the image with the new model."

    def __init__(self, viewer: "Viewer") -> None:
        defaults = FinetuneSettings(task="segment", autosave_seconds=AUTOSAVE_SECONDS)
        super().__init__(viewer, defaults, _ADVANCED)
        self.preview, self.unsure = PreviewLayer(viewer), UncertaintyLayer(viewer)
        self._values: tuple[int, ...] = ()
        self.answer: NDArray[np.generic] | None = None  # of the first look, for the plane in view
        self.painting = layer_picker(viewer, "Labels", drawn=True)
        self.painting.changed.connect(lambda _: self._on_paintings())
        self.regions = layer_picker(viewer, "Shapes", none="none")
        self.more_images = ImageList(viewer)
        self.more_images.changed.connect(self._on_paintings)
        self.unpainted = combo_box(_UNPAINTED)
        self.live = LivePreview(viewer, self._inputs)
        self._drawn_in, self._shown_image = WatchedLayer(self._on_meant), WatchedLayer(self.live.ask_soon)
        self.keep = KeepRow(lambda: self.request(self.settings().model_copy(update={"device": self.live.device}), None))
        self.tools = PaintTools(viewer, self._open_painting)
        self.tools.opened.connect(self._on_opened)
        self.tools.reported.connect(self.reported)
        self.tools.painting_wanted.connect(self.add_painting)
        self.classes = ClassTable()
        self.classes.shown.connect(lambda count: self.classes.setVisible(count > 0))
        self.classes.found.changed.connect(self.tools.brushes.know)
        self._make_buttons()
        self._lay_out()
        self._connect_live_preview()

    def _inputs(self) -> Inputs:
        """Return what is picked, and the added images that have a painting."""
        drawn = self._drawn()
        others = [
            (image, painting, regions_of_image(image, drawn))
            for image, painting in self.more_images.pairs()
            if image is not None and painting is not None
        ]
        return Inputs(*self.pairs()[0], self.unpainted.currentData(), self.regions.value, tuple(others))

    def _make_buttons(self) -> None:
        self.add_image_button = QPushButton("Add")
        self.add_image_button.setToolTip("Learn from one more image of the viewer, and from the painting on it.")
        self.add_image_button.clicked.connect(self.add_image)
        self.new_painting_button, self.new_regions_button = QPushButton("New"), QPushButton("New")
        self.new_painting_button.setToolTip("Make an empty Labels layer on the image's grid and select the brush.")
        self.new_painting_button.clicked.connect(self.add_painting)
        self.new_regions_button.setToolTip("Make an empty Shapes layer on the image's grid, to draw rectangles in.")
        self.new_regions_button.clicked.connect(self.add_regions)

    def _lay_out(self) -> None:
        self.add_row("Image", hbox(self.image.native, self.add_image_button),
                     "The image, or stack, with paint on it.")  # fmt: skip
        self.add_row("Painting", hbox(self.painting.native, self.new_painting_button),
                     "The Labels layer that holds the painted particles.")  # fmt: skip
        self.add_row("and", self.more_images)
        self.form.addRow(self.tools)
        self.form.addRow(self.classes)
        self.add_row("Unpainted", self.unpainted, "How training treats unpainted pixels.")
        self.add_row(
            "All painted in",
            hbox(self.regions.native, self.new_regions_button),
            "Rectangles, ellipses and polygons of a Shapes layer in which everything is painted: unpainted "
            "pixels there are background. For added images, the layers named after them are used.",
        )
        self._on_paintings()
        self.classes.hide()

    def _connect_live_preview(self) -> None:
        """Show the answers of the live preview as the previews of a training."""
        self.column.addWidget(self.live)
        self.column.addWidget(self.keep)
        self.live.began.connect(self._ready_preview)
        self.live.answered.connect(self._show_answer)
        self.live.moved.connect(self.blank_preview)
        self.live.unsure_wanted.connect(self.unsure.want)
        self.keep.kept.connect(self.made)
        self.keep.reported.connect(self.reported)
        self.keep.layer_wanted.connect(self._keep_layer)
        self.unpainted.currentIndexChanged.connect(lambda _: self._on_meant())
        self.classes.meant.connect(self._on_meant)
        self.regions.changed.connect(self._drawn_in.watch)

    def showEvent(self, event: QShowEvent) -> None:
        """Make the buttons beside the pickers equally wide, now that they have the viewer's style."""
        buttons = (self.add_image_button, self.new_painting_button, self.new_regions_button)
        width = max(button.sizeHint().width() for button in buttons)
        for button in buttons:
            button.setFixedWidth(width)
        super().showEvent(event)

    def reset_choices(self, event: "Event | None" = None) -> None:
        """Read the viewer's layers again, in every picker."""
        super().reset_choices(event)
        for picker in (self.painting, self.regions, self.more_images):
            picker.reset_choices(event)
        self._on_paintings()

    def on_close(self) -> None:
        """Stop listening to paintings, and end the live preview."""
        self.classes.watch(())
        self._drawn_in.watch(None)
        self._shown_image.watch(None)
        self.tools.on_close()
        self.live.watch(())
        self.live.close_job()
        self.keep.close_job()

    def on_image(self) -> None:
        """Pick the painting and the regions that belong to the image."""
        own = painting_of(self.image.value, self.painting.choices)
        if own is not None:
            self.painting.value = own
        self._pick_regions()
        self._shown_image.watch(self.image.value)
        self.tools.earlier.look_for(self.image.value, own is not None)
        self.live.look_ahead()
        super().on_image()

    def on_start(self, context_generator: str | None, device: str) -> None:
        """Let the live preview answer by the generator that training would start from."""
        self.live.use(context_generator, device)

    def _pick_regions(self) -> None:
        """Pick the regions named after the image; those named after another one are deselected."""
        own, picked = regions_of_image(self.image.value, self._drawn()), self.regions.value
        if own is not None or (picked is not None and ALL_PAINTED in picked.name):
            self.regions.value = own

    def _drawn(self) -> "list[Shapes]":
        return [layer for layer in self.regions.choices if layer is not None]

    def pairs(self) -> list[Pair]:
        """Return every image with its painting."""
        return [(self.image.value, self.painting.value), *self.more_images.pairs()]

    def _on_meant(self) -> None:
        """What is painted means something else now."""
        self.tools.on_meant()
        self.live.ask_soon()

    def _on_paintings(self) -> None:
        """Let the table show the labels of all paintings."""
        paintings = [labels for labels in dict.fromkeys(painting for _, painting in self.pairs()) if labels]
        self.live.watch(paintings)
        self.tools.watch(self.painting.value)
        self.more_images.setVisible(bool(self.more_images.rows))
        self.form.labelForField(self.more_images).setVisible(bool(self.more_images.rows))
        self.classes.watch(paintings)

    def _open_painting(self) -> OpenPainting | None:
        image, painting = self.pairs()[0]
        if image is None or painting is None:
            return None
        return OpenPainting(image, painting, self.regions.value, self.unpainted.currentData())

    def _on_opened(self, painting: "Labels", shapes: "Shapes | None") -> None:
        """Continue a kept painting."""
        self.reset_choices()
        self.painting.value = painting
        if shapes is not None:
            self.regions.value = shapes
        self.tools.brushes.take("particle")
        self.reported.emit(f"'{painting.name}' is back as it was saved. Continue painting, or press Start.", False)

    def add_painting(self) -> None:
        """Make an empty painting on the image's grid, pick it, and select the brush."""
        image = self.image.value
        if image is None:
            self.reported.emit("There is no image layer to paint on. Open an image first.", True)
            return
        try:
            data, where = new_painting(image)
        except UserError as error:
            self.reported.emit(str(error), True)
            return
        layer = self.viewer.add_labels(data, **where)
        layer.brush_size = brush_size(data.shape)
        self.reset_choices()
        self.painting.value = layer
        self.tools.brushes.take("particle")
        self.tools.guide(self.live.generator is not None)

    def add_image(self) -> None:
        """Add the next image of the viewer that has a painting, or the next one at all."""
        left = [image for image in self.image.choices if image not in {taken for taken, _ in self.pairs()}]
        if not self.more_images.add_next(left, self.painting.choices):
            self.reported.emit("There is no other image in the viewer. Open one more, paint on it, then add it.", True)

    def add_regions(self) -> None:
        """Make an empty Shapes layer on the image's grid, pick it, and take the rectangle."""
        image = self.image.value
        if image is None:
            self.reported.emit("There is no image layer to draw on. Open an image first.", True)
            return
        layer = self.viewer.add_shapes(None, **new_regions(image))
        layer.mode = "add_rectangle"
        self.viewer.layers.selection.active = layer
        self.reset_choices()
        self.regions.value = layer
        self.reported.emit("Draw rectangles around parts of the image in which every particle is painted.", False)

    def request(self, settings: FinetuneSettings, start_from: str | None) -> SegmentRequest:
        """Read images, paintings and regions; raises `UserError` with what is missing."""
        others = [regions_of_image(image, self._drawn()) for image, _ in self.more_images.pairs()]
        unpainted = self.unpainted.currentData()
        in_context = start_from if start_from == self.live.generator else None
        return segment_request(self.pairs(), settings, start_from, unpainted, [self.regions.value, *others], in_context)

    def begin_preview(self, request: SegmentRequest) -> None:
        """Get ready for the previews of a run."""
        self._values = request.values
        self.live.rest(True)
        self._hold(None)
        self._ready_preview(request.source, self.painting.value)

    def _ready_preview(self, source: LayerSnapshot, painting: "Labels | None") -> None:
        self.preview.begin(source, below=painting)
        self.unsure.begin(source, below=painting)

    def _show_answer(self, images: Mapping[str, NDArray[np.generic]], values: tuple[int, ...]) -> None:
        self._values = values
        self.show_preview(images)
        self.tools.on_answer()
        self._hold(images["prediction"])
        self.keep.offer(self.live.generator)

    def _hold(self, answer: NDArray[np.generic] | None) -> None:
        """Hold the answer that is on screen; without one no layer can be kept."""
        self.answer = answer
        self.keep.layer_button.setEnabled(answer is not None)

    def _keep_layer(self) -> None:
        """Show the answer of the first look in a layer of its own, on the plane that it is of."""
        image = self.image.value
        if self.answer is None or image is None or self.answer.shape != shape_of(image)[-2:]:
            self.reported.emit("There is no first look to keep. Paint one particle first.", True)
            return
        named = [painted.name for painted in self.classes.classes() if painted.value in self._values]
        card = card_of_look(self.live.generator, named)
        layer = show_result(self.viewer, card, "", select(image, self.live.index), self.answer)
        self.reported.emit(f"The first look is in layer '{layer.name}'.", False)

    def show_preview(self, images: Mapping[str, NDArray[np.generic]]) -> None:
        """Show the prediction on the plane in view, with the labels that were painted."""
        if "prediction" in images:
            self.preview.show(painted_labels(images["prediction"], self._values))
        if "uncertainty" in images:
            self.unsure.show(images["uncertainty"])

    def blank_preview(self) -> None:
        """Show nothing until the next prediction."""
        self._hold(None)
        self.preview.blank()
        self.unsure.blank()

    def remove_preview(self) -> None:
        """Remove the layers of the prediction."""
        self.preview.remove()
        self.unsure.remove()

    def on_idle(self, idle: bool) -> None:
        """Let the live preview be begun again when a training is over."""
        if idle:
            self.live.rest(False)
