"""The way *Restore*: pairs of layers, a noisy image and what it should have been, or noisy images alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from ....jobs.settings import FinetuneSettings
from ....models.tasks import task_of
from ....models.zoo import list_models
from ...job.dock import APPLY, open_dock
from ...layers.previews import RestoredPreview
from ...models.picker import zoo_news
from ...training.page import AUTOSAVE_SECONDS, TrainingPage
from ...widgets.fields import combo_box
from ...widgets.form import SettingsForm
from .pair_table import PairTable
from .request import LayerPair, RestoreRequest, RestoreTask, restore_request

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer

TASKS: dict[RestoreTask, str] = {
    "denoise": "denoise",
    "remove-background": "remove background",
    "super-resolve": "super-resolve",
}
"""What the tasks are called on screen."""
_HINTS: dict[RestoreTask, str] = {
    "denoise": "Clean images show the same field without noise: a slow scan, an average of many frames, a simulation.",
    "remove-background": "Noise is removed, too: clean images show the specimen alone, without noise and background.",
    "super-resolve": "Clean images are sharper, on the same grid or on one twice as fine.",
}
_ALONE = "Press Start: the model learns from the noise itself. A film, or several images, teach it more than one image."
_ADVANCED = (
    "steps", "epochs", "batch_size", "patch", "learning_rate", "seed", "target_levels", "validation",
    "validation_interval", "augment", "precision", "generator", "width", "refine", "norm", "autosave_seconds",
)  # fmt: skip


class RestorePage(TrainingPage[RestoreRequest]):
    """Trains a model that denoises, removes the background, or super-resolves.

    Parameters
    ----------
    viewer
        The viewer whose layers it learns from.

    """

    title = "Restore"
    hint = "Pick a noisy image and a clean one of the same field, or learn from noisy images alone; then press Start."
    apply_hint = "Restore every plane of the image with the new model."

    def __init__(self, viewer: "Viewer") -> None:
        defaults = FinetuneSettings(task="denoise", autosave_seconds=AUTOSAVE_SECONDS)
        super().__init__(viewer, defaults, _ADVANCED)
        self.preview = RestoredPreview(viewer)
        self.task = combo_box({})
        for task, text in TASKS.items():
            self.task.addItem(text, task)
        self.teacher = combo_box({})
        self.teacher.addItem("clean images", False)
        self.teacher.addItem("the noisy images alone", True)
        self.supervision = SettingsForm(defaults, ["supervision"])
        self.table = PairTable(viewer, self.image)
        self._make_offer()
        self._lay_out()
        self.task.currentIndexChanged.connect(lambda _: self._on_kind())
        self.teacher.currentIndexChanged.connect(lambda _: self._on_kind())
        self.table.changed.connect(self.changed)
        zoo_news.changed.connect(self._show_offer)
        self._on_kind()

    def _make_offer(self) -> None:
        """The line that leads to a model that does the task already."""
        self.offer = QWidget()
        self._offer_text, self._offered = QLabel(), ""
        self._offer_text.setWordWrap(True)
        self.offer_button = QPushButton("Apply as it is")
        self.offer_button.setToolTip("Open the dock that applies models, with this model and this image selected.")
        self.offer_button.clicked.connect(self.apply_shipped)
        layout = QHBoxLayout(self.offer)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._offer_text, 1)
        layout.addWidget(self.offer_button)

    def _lay_out(self) -> None:
        self.add_row("Task", self.task, "What the model should do.")
        self.add_row("Learn from", self.teacher)
        self.teacher.setToolTip(
            "Without clean images the model learns from the noise itself: each frame of a stack from its neighbours, "
            "or hidden pixels from those around them."
        )
        self.add_row("Supervision", self.supervision.rows["supervision"].widget)
        self.column.addWidget(self.table)
        self.column.addWidget(self.offer)

    def on_close(self) -> None:
        """Stop checking pairs."""
        self.table.on_close()

    @property
    def chosen_task(self) -> RestoreTask:
        """The task on screen."""
        task: RestoreTask = self.task.currentData()
        return task

    @property
    def learns(self) -> RestoreTask:
        """The task on screen, by which starts are recommended."""
        return self.chosen_task

    @property
    def advice(self) -> str:
        """What to do first, with the teacher that is chosen."""
        return _ALONE if self.alone and self.image.value is not None else super().advice

    @property
    def alone(self) -> bool:
        """Whether the images teach themselves."""
        return self._may_be_alone and bool(self.teacher.currentData())

    @property
    def _may_be_alone(self) -> bool:
        return task_of(self.chosen_task).learns_without_targets

    def _on_kind(self) -> None:
        """Another task, or another teacher: show what goes with it."""
        self.task.setToolTip(_HINTS[self.chosen_task])
        self._show_row(self.teacher, self._may_be_alone)
        self._show_row(self.supervision.rows["supervision"].widget, self.alone)
        self.table.set_kind(self.chosen_task, self.alone)
        self._show_offer()
        self.changed.emit()

    def _show_row(self, widget: QWidget, visible: bool) -> None:
        widget.setVisible(visible)
        self.form.labelForField(widget).setVisible(visible)

    def _show_offer(self) -> None:
        """Point to a shipped model of the task, where there is one."""
        shipped = [entry for entry in list_models() if entry.origin == "shipped"]
        names = [entry.name for entry in shipped if entry.card.task == self.chosen_task]
        self._offered = names[0] if names else ""
        quoted = " and ".join(f"'{name}'" for name in names)
        verbs = "come with the plugin and do" if len(names) > 1 else "comes with the plugin and does"
        self._offer_text.setText(f"{quoted} {verbs} this task.")
        self.offer.setVisible(bool(names))

    def apply_shipped(self) -> None:
        """Open the dock that applies models, with the shipped model and the image."""
        dock = open_dock(self.viewer, APPLY)
        dock.use_model(self._offered)
        if self.image.value in dock.image.choices:
            dock.image.value = self.image.value

    def reset_choices(self, event: "Event | None" = None) -> None:
        """Read the viewer's layers again, in every picker."""
        self.table.reset_choices(event)

    def use_pairs(self, task: RestoreTask, pairs: list[LayerPair]) -> None:
        """Show a task and the pairs of layers to learn it from."""
        self.teacher.setCurrentIndex(0)
        self.task.setCurrentIndex(self.task.findData(task))
        self.table.set_pairs(pairs)

    def settings(self) -> FinetuneSettings:
        """Return the page's settings as they stand on screen; the dock sets time and device."""
        chosen = {"task": self.chosen_task, "supervision": self.supervision.rows["supervision"].get()}
        return super().settings().model_copy(update=chosen)

    def request(self, settings: FinetuneSettings, start_from: str | None) -> RestoreRequest:
        """Read the pairs; raises `UserError` with what is missing or does not fit."""
        return restore_request(self.table.layers, settings, start_from, self.alone, self.table.checks)

    def begin_preview(self, request: RestoreRequest) -> None:
        """Get ready for the previews of a run."""
        self.preview.begin(request.layer, request.source, request.settings.task)

    def show_preview(self, images: Mapping[str, NDArray[np.generic]]) -> None:
        """Show the restored plane in view."""
        if "prediction" in images:
            self.preview.show(images["prediction"])

    def blank_preview(self) -> None:
        """Show nothing until the next prediction."""
        self.preview.blank()

    def remove_preview(self) -> None:
        """Remove the layer of the prediction."""
        self.preview.remove()
