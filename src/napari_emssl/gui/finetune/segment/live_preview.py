"""A prediction while the user paints: the plane in view and its painting go to a job that answers in about a second."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from .... import worker_jobs
from ....errors import UserError
from ....jobs.context_settings import ContextSettings
from ....jobs.events import Control, Event, Notice, Preview
from ....jobs.worker import client
from ...job.runner import Runner
from ...layers.layers import Index, plane_in_view, snapshot_of
from ...layers.matching import lie_alike
from ...threads.newest import NewestWins
from ..painting.painted_image import elsewhere_notice
from ..painting.painted_values import edit_events
from .paint_memory import PaintMemory
from .preview_snapshot import Inputs, PreviewSnapshot, alike

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.utils.events import Event as LayerEvent
    from napari.viewer import Viewer

_CALM_MS = 300
"""How long after a stroke the question is put."""
_PATIENCE_MS = 700
"""How long an answer may take before the user is told that it is on its way."""


class _Sent(NamedTuple):
    """A question that was sent."""

    number: int
    values: tuple[int, ...]
    """Labels of the classes."""
    painted: bool


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
        Images of an answer by name, and the painted labels of the classes in order. In context there may be several to
        one question, each for more of the plane.
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
        self._generator: str | None = None
        self._device = "auto"
        self._warm = False
        """Whether another process was made ready since this one took the spare."""
        self._paintings: tuple[Labels, ...] = ()
        self._memory = PaintMemory(viewer)
        self._asked: PreviewSnapshot | None = None
        self._values: dict[int, tuple[int, ...]] = {}
        self._index: Index | None = None
        self._sender = NewestWins[tuple[PreviewSnapshot, Control], _Sent](_send, _CALM_MS, self)
        self._sender.answered.connect(self._on_sent)
        self._sender.failed.connect(self._on_unreadable)
        self.runner = Runner(self)
        self.runner.event.connect(self._on_event)
        self.runner.failed.connect(self._on_failure)
        viewer.dims.events.current_step.connect(self._on_dims)
        self._waiting = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._waiting.timeout.connect(lambda: self._say("Looking for everything like the paint …"))
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
        self.unsure.setToolTip("Show where the prediction is undecided. Painting there teaches it most.")
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

    @property
    def generator(self) -> str | None:
        """The generator that answers in context; None where filters answer."""
        return self._generator

    @property
    def device(self) -> str:
        """What the generator runs on."""
        return self._device

    @property
    def index(self) -> Index | None:
        """Index of the plane that was asked about last."""
        return self._index

    def use(self, generator: str | None, device: str) -> None:
        """Answer in context by this generator from now on, on this device; by filters where there is none."""
        if (generator, device) == (self._generator, self._device):
            return
        running = self.runner.running
        self._generator, self._device = generator, device
        if running or generator:
            self.close_job()
            self._memory.forget()
            self.ask_soon()

    def watch(self, paintings: "Sequence[Labels]") -> None:
        """Listen to the edits of these paintings only; the first one is in view."""
        if tuple(paintings) == self._paintings:
            return
        for painting in self._paintings:
            for event in edit_events(painting):
                event.disconnect(self._on_edit)
        self._paintings = tuple(paintings)
        self._memory.keep(paintings)
        for painting in self._paintings:
            for event in edit_events(painting):
                event.connect(self._on_edit)
        self.look_ahead()

    def look_ahead(self) -> None:
        """In context, look at what is picked now before anything is painted on it; what was answered may not hold."""
        if self._generator is not None or self._asked is not None:
            self.ask_soon()

    def rest(self, resting: bool) -> None:
        """End for a training, whose predictions are better; afterwards the user may tick the box again."""
        self.box.setEnabled(not resting)
        if resting:
            self.box.setChecked(False)

    def close_job(self) -> None:
        """End the job without a message."""
        self._sender.drop()
        self._waiting.stop()
        self._asked = None
        self.runner.close()

    def _on_box(self, ticked: bool) -> None:
        self._say("")
        self._memory.forget()
        if ticked:
            self.ask_soon()
        else:
            self.close_job()

    def ask_soon(self) -> None:
        """Ask when nothing more has changed for a moment."""
        if self.box.isChecked():
            self._sender.ask_when_calm(self._question)

    def _on_edit(self, event: "LayerEvent | None" = None) -> None:
        edited = getattr(event, "source", None)
        if edited in self._paintings[1:]:
            self._memory.edited(edited)
        self.ask_soon()

    def _on_dims(self, event: "LayerEvent | None" = None) -> None:
        if self._asked is None or not self.box.isChecked():
            return
        if plane_in_view(self._memory.layers[0], self._viewer) != self._index:
            self.moved.emit()
            self.ask_soon()

    def _question(self) -> tuple[PreviewSnapshot, Control] | None:
        """Return what to ask and whom, and start the job if need be; None where nothing has changed."""
        if self.runner.control.closed:
            self.ask_soon()  # the job before has not quite ended
            return None
        try:
            snapshot = self._snapshot(self._inputs())
        except UserError as error:
            self._forget()
            self._say(str(error))
            return None
        if snapshot is None:
            self._say("")
            self._forget()
        if snapshot is None or alike(snapshot, self._asked):
            return None
        self._asked, self._index = snapshot, snapshot.index
        if not self.runner.running:
            self._warm = self._generator is None
            self.runner.run(partial(_start, self._generator, self._device))
        return snapshot, self.runner.control

    def _snapshot(self, inputs: Inputs) -> PreviewSnapshot | None:
        """Copy what is painted; None without paint."""
        in_context, before = self._generator is not None, self._memory.layers
        if not self._memory.takes(inputs, in_context):
            return None
        snapshot = self._memory.snapshot(inputs, self._asked.number + 1 if self._asked else 1, in_context)
        if self._memory.layers != before:
            self.began.emit(snapshot_of(inputs.image), inputs.painting)
        return snapshot

    def _forget(self) -> None:
        """Nothing is painted any more: what was answered does not hold."""
        self._waiting.stop()
        if self._asked is not None:
            self._asked = None
            self.moved.emit()

    def _on_sent(self, sent: _Sent) -> None:
        if sent.painted:
            self._values = {sent.number: sent.values, **dict(list(self._values.items())[:7])}
            self._waiting.start()
        elif self._values:
            self._values = {}
            self.moved.emit()

    def _on_event(self, event: Event) -> None:
        if self._asked is None:
            return
        if isinstance(event, Notice):  # why there is no answer to what is painted now: the one before does not hold
            self._say(event.text)
            self.moved.emit()
        elif isinstance(event, Preview) and self._holds(event):
            self._say(" ".join(filter(None, (event.caption, self._elsewhere()))))
            self._warm_up()
            self.answered.emit(event.images, self._values[event.step])

    def _warm_up(self) -> None:
        """Have a process ready for the training, once the one that was has answered."""
        if not self._warm:
            self._warm = True
            threading.Thread(target=client.warm_up, args=worker_jobs.TRAINING_AND_APPLYING, daemon=True).start()

    def _elsewhere(self) -> str:
        """Say that the painting does not cover its image, as after the image alone was given a pixel size."""
        image, painting = self._memory.layers
        if image is None or painting is None or lie_alike(image, painting):
            return ""
        return elsewhere_notice(painting.name, image.name)

    def _holds(self, answer: Preview) -> bool:
        """Whether an answer is for the plane in view; where its labels are not known, a newer one is on its way."""
        in_view = self._index == plane_in_view(self._memory.layers[0], self._viewer)
        return in_view and answer.step in self._values

    def _on_unreadable(self, error: Exception) -> None:
        self._say(str(error) if isinstance(error, UserError) else f"The planes cannot be read: {error}")

    def _on_failure(self, error: BaseException) -> None:
        self.box.setChecked(False)
        self._say(f"{error} Tick the box to try again.")

    def _say(self, text: str) -> None:
        self._waiting.stop()
        self.message.setText(text)
        self.message.setVisible(bool(text))


def _start(generator: str | None, device: str) -> client.WorkerJob[None]:
    if generator is None:
        return client.run(worker_jobs.live_preview)
    return client.run(worker_jobs.live_preview_in_context, generator, ContextSettings(device=device))


def _send(question: tuple[PreviewSnapshot, Control]) -> Iterator[_Sent]:
    """Read the planes and send them; yields what was sent before it is answered. Runs in a thread."""
    snapshot, control = question
    query = snapshot.query()
    yield _Sent(snapshot.number, snapshot.values(), any(labels.any() for labels in query.painting))
    control.ask(query)
