"""A prediction while the user paints: the plane in view and its painting go to a job that answers in about a second."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from .... import worker_jobs
from ....errors import UserError
from ....jobs.events import Control, Event, Notice, Preview
from ....jobs.worker import client
from ...job.runner import Runner
from ...layers.layers import Index, plane_in_view, snapshot_of
from ...threads.newest import NewestWins
from .classes import given_classes
from .painted_image import Inputs, PaintedImage, PreviewSnapshot, alike
from .painted_values import edit_events
from .regions import regions_of

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels
    from napari.utils.events import Event as LayerEvent
    from napari.viewer import Viewer

_CALM_MS = 300
"""How long after a stroke the question is put."""
_KEPT = 3
"""Painted planes that are learnt from beside the one in view, those painted last."""


class LivePreview(QWidget):
    """Two boxes to tick, and the job behind the first: asked after each stroke, the newest question wins.

    Parameters
    ----------
    viewer
        The viewer whose sliders say which plane is in view.
    inputs
        Returns what is picked now.

    Signals
    -------
    began(object, object)
        `LayerSnapshot` and painting of the answers to come.
    answered(object, object)
        Images of an answer by name, and the painted labels of the classes in order.
    moved()
        What was answered no longer holds: another plane came into view, or all paint was erased.
    unsure_wanted(bool)
        The user wants to see where to paint next, or no longer.

    """

    began = Signal(object, object)
    answered = Signal(object, object)
    moved = Signal()
    unsure_wanted = Signal(bool)

    def __init__(self, viewer: "Viewer", inputs: Callable[[], Inputs]) -> None:
        super().__init__()
        self._viewer, self._inputs = viewer, inputs
        self._painting: Labels | None = None
        self._layers: tuple[ImageLayer | None, Labels | None] = (None, None)
        self._painted: dict[Index, NDArray[np.generic]] = {}
        self._asked: PreviewSnapshot | None = None
        self._values: dict[int, tuple[int, ...]] = {}
        self._index: Index | None = None
        self._sender = NewestWins[tuple[PreviewSnapshot, Control], tuple[int, tuple[int, ...]]](_send, _CALM_MS, self)
        self._sender.answered.connect(self._on_sent)
        self._sender.failed.connect(self._on_unreadable)
        self.runner = Runner(self)
        self.runner.event.connect(self._on_event)
        self.runner.failed.connect(self._on_failure)
        viewer.dims.events.current_step.connect(self._on_dims)
        self._make_widgets()

    def _make_widgets(self) -> None:
        self.box = QCheckBox("Live first look")
        self.box.setToolTip(
            "Show a prediction for the plane in view about a second after each stroke. A trained model is "
            "better, so this ends when training starts."
        )
        self.box.setChecked(True)
        self.box.toggled.connect(self._on_box)
        self.unsure = QCheckBox("Where to paint next")
        self.unsure.setToolTip("Show where the prediction is undecided: paint there, and it learns most.")
        self.unsure.toggled.connect(self.unsure_wanted)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.hide()
        row = QHBoxLayout()
        for box in (self.box, self.unsure):
            row.addWidget(box)
        row.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.message)

    def watch(self, painting: "Labels | None") -> None:
        """Listen to the edits of this painting only."""
        if painting is self._painting:
            return
        if self._painting is not None:
            for event in edit_events(self._painting):
                event.disconnect(self._on_edit)
        self._painting = painting
        if painting is not None:
            for event in edit_events(painting):
                event.connect(self._on_edit)

    def rest(self, resting: bool) -> None:
        """End for a training, whose predictions are better; afterwards the user may tick the box again."""
        self.box.setEnabled(not resting)
        if resting:
            self.box.setChecked(False)

    def close_job(self) -> None:
        """End the job without a message."""
        self._sender.drop()
        self._asked = None
        self.runner.close()

    def _on_box(self, ticked: bool) -> None:
        self._say("")
        self._layers = (None, None)
        if ticked:
            self.ask_soon()
        else:
            self.close_job()

    def ask_soon(self) -> None:
        """Ask when nothing more has changed for a moment."""
        if self.box.isChecked():
            self._sender.ask_when_calm(self._question)

    def _on_edit(self, event: "LayerEvent | None" = None) -> None:
        self.ask_soon()

    def _on_dims(self, event: "LayerEvent | None" = None) -> None:
        if self._asked is None or not self.box.isChecked():
            return
        if plane_in_view(self._layers[0], self._viewer) != self._index:
            self.moved.emit()
            self.ask_soon()

    def _question(self) -> tuple[PreviewSnapshot, Control] | None:
        """Return what to ask and whom, and start the job if need be; None where nothing has changed."""
        if self.runner.control.closed:
            self.ask_soon()  # the job before has not quite ended
            return None
        try:
            snapshot = self._snapshot()
        except UserError as error:
            self._say(str(error))
            return None
        if snapshot is None:
            self._forget()
        if snapshot is None or alike(snapshot, self._asked):
            return None
        self._asked, self._index = snapshot, snapshot.index
        if not self.runner.running:
            self.runner.run(_start)
        return snapshot, self.runner.control

    def _snapshot(self) -> PreviewSnapshot | None:
        """Copy what is painted on the plane in view, and remember it for later questions; None without paint."""
        inputs = self._inputs()
        if inputs.image is None or inputs.painting is None or not isinstance(inputs.painting.data, np.ndarray):
            return None
        data = inputs.painting.data
        source = snapshot_of(inputs.image)
        if data.shape != source.shape:
            return None
        if (inputs.image, inputs.painting) != self._layers:
            self._layers, self._painted = (inputs.image, inputs.painting), {}
            self.began.emit(source, inputs.painting)
        index = plane_in_view(inputs.image, self._viewer)
        self._remember(index, data[index].copy())
        if not any(plane.any() for plane in self._painted.values()):
            return None
        number = self._asked.number + 1 if self._asked else 1
        regions = regions_of(inputs.shapes, inputs.image)
        given = given_classes(inputs.painting)
        painted = PaintedImage(source, inputs.painting.name, dict(self._painted), regions)
        return PreviewSnapshot(number, painted, index, given, inputs.unpainted)

    def _forget(self) -> None:
        """Nothing is painted any more: what was answered does not hold."""
        if self._asked is not None:
            self._asked = None
            self.moved.emit()

    def _remember(self, index: Index, plane: NDArray[np.generic]) -> None:
        """Keep the plane in view, and of the others those painted last."""
        self._painted.pop(index, None)
        kept = [other for other, labels in self._painted.items() if labels.any()][-_KEPT:]
        self._painted = {other: self._painted[other] for other in kept} | {index: plane}

    def _on_sent(self, sent: tuple[int, tuple[int, ...]]) -> None:
        number, values = sent
        self._values = {number: values, **dict(list(self._values.items())[:7])}

    def _on_event(self, event: Event) -> None:
        if self._asked is None:
            return
        if isinstance(event, Notice):
            self._say(event.text)
        elif isinstance(event, Preview) and self._holds(event):
            self._say("")
            self.answered.emit(event.images, self._values[event.step])

    def _holds(self, answer: Preview) -> bool:
        """Whether an answer is for the plane in view; where its labels are not known, a newer one is on its way."""
        in_view = self._index == plane_in_view(self._layers[0], self._viewer)
        return in_view and answer.step in self._values

    def _on_unreadable(self, error: Exception) -> None:
        self._say(str(error) if isinstance(error, UserError) else f"The planes cannot be read: {error}")

    def _on_failure(self, error: BaseException) -> None:
        self.box.setChecked(False)
        self._say(f"{error} Tick the box to try again.")

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self.message.setVisible(bool(text))


def _start() -> client.WorkerJob[None]:
    return client.run(worker_jobs.live_preview)


def _send(question: tuple[PreviewSnapshot, Control]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Read the planes and send them; yields the number of the question and its classes. Runs in a thread."""
    snapshot, control = question
    yield snapshot.number, snapshot.values()
    control.ask(snapshot.query())
