"""What every job needs on screen: start, pause, stop, progress, time left, messages and live curves."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from napari.utils.notifications import show_error, show_info
from qtpy.compat import isalive
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...errors import UserError
from ...formatting import duration
from ...jobs.events import Event, Finished, Job, Notice, Preview, Progress, Started
from ..threads.background import start_thread
from ..widgets.message import MessageLabel
from ..widgets.theme import theme_colours
from .curve_record import CurveRecord
from .diagnostics import copy_diagnostics
from .flag_words import with_titles
from .job_log import JobLog
from .runner import Runner

if TYPE_CHECKING:
    from napari.utils.events import Event as ViewerEvent
    from napari.viewer import Viewer

    from .loss_plot import LossPlot

_FULL = 1000
_CALM_MS = 300
"""After a dock was opened, before it loads what it needs later."""
T = TypeVar("T")
U = TypeVar("U")


class JobPanel(QWidget):
    """Controls and displays of one job at a time; knows nothing of what the job does.

    Parameters
    ----------
    viewer
        The viewer whose theme the curves follow.
    start
        What stands on the button that starts.
    pausable, plot
        Whether jobs can be paused, and whether trainings have curves.
    parent
        Owner in the sense of Qt.

    Signals
    -------
    start_requested()
        The user pressed Start; whoever owns the panel answers with `run` or `say`.
    preview(object)
        The images of a `Preview` event, by name.
    idle(bool)
        Whether a new job can be started.

    `extra` is a layout below the messages for what the owner wants to offer there.

    """

    start_requested = Signal()
    preview = Signal(object)
    idle = Signal(bool)

    def __init__(
        self, viewer: "Viewer", start: str = "Start", pausable: bool = False, plot: bool = False,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._viewer, self._pausable = viewer, pausable
        self._notes: tuple[str, ...] = ()
        self._about_inputs = False
        """Whether the message says what a job lacks to begin with."""
        self._show: Callable[[Any, bool], None] = _nothing
        self.training = False
        self.log = JobLog()
        """How the job under way goes, or how the last one went."""
        self.record = CurveRecord()
        """The numbers of the training under way, or of the last one."""
        self.runner = Runner(self)
        self.runner.event.connect(self._on_event)
        self.runner.failed.connect(self._on_failure)
        self.runner.ended.connect(self._on_end)
        self._make_widgets(start)
        self.plot: LossPlot | None = None
        """The curves, made when the first training starts; in view once there is a point."""
        self._shows_run = True
        self._plots = plot
        if plot:
            QTimer(self, singleShot=True, interval=_CALM_MS, timeout=_load_plots).start()
        self._lay_out()
        self._refresh()

    def _make_widgets(self, start: str) -> None:
        self.start_button = QPushButton(start)
        self.start_button.clicked.connect(self.start_requested)
        self.pause_button = QPushButton("Pause")
        self.pause_button.clicked.connect(self.toggle_pause)
        self.stop_button = QPushButton("Stop")
        self.stop_button.clicked.connect(self.stop)
        self.bar = QProgressBar()
        self.bar.setRange(0, _FULL)
        self.bar.setFormat("")
        self.message, self.warning = MessageLabel(), MessageLabel(trouble=True)
        self.notes = MessageLabel()
        self.diagnostics_button = QPushButton("Copy diagnostics")
        self.diagnostics_button.setToolTip("Copy versions, machine, settings and error for a bug report.")
        self.diagnostics_button.clicked.connect(lambda: copy_diagnostics(self.log))
        self.extra = QVBoxLayout()

    def _make_plot(self) -> "LossPlot":
        from .loss_plot import LossPlot

        self.plot = plot = LossPlot()
        plot.offer_csv(self.rows)
        self._follow_theme()
        self._viewer.events.theme.connect(self._follow_theme)
        layout = self.layout()
        layout.insertWidget(layout.indexOf(self.notes), plot, 100)
        return plot

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.start_button, self.pause_button, self.stop_button):
            buttons.addWidget(button, 2 if button is self.start_button else 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(buttons)
        layout.addWidget(self.bar)
        layout.addWidget(self.message)
        layout.addWidget(self.diagnostics_button, 0, Qt.AlignmentFlag.AlignRight)
        layout.addWidget(self.warning)
        layout.addLayout(self.extra)
        layout.addWidget(self.notes)
        layout.addStretch(1)
        self.pause_button.setVisible(self._pausable)
        self.diagnostics_button.hide()

    def rows(self) -> list[Progress]:
        """Return the numbers of the training under way, or of the last one."""
        return self.record.rows

    def _follow_theme(self, event: "ViewerEvent | None" = None) -> None:
        if self.plot is not None:
            self.plot.set_colours(*theme_colours(self._viewer))

    def run(
        self,
        make_job: Callable[[], Job[T]],
        finish: Callable[[T], U],
        show: Callable[[U, bool], None],
        title: str = "Starting …",
        training: bool = False,
    ) -> None:
        """Start a job.

        Parameters
        ----------
        make_job, finish
            See `Runner.run`: both are called in the worker thread.
        show
            Called in the GUI thread with what `finish` returned, and whether the job was stopped early.
        title
            Sentence shown until the job has read its input.
        training
            Whether the job has curves and previews.

        """
        self._show, self.training, self.log = show, training, JobLog()
        if training:
            self.record = CurveRecord()
        self.warning.show_text("")
        self.note()
        self.say(title)
        self.bar.setRange(0, 0)
        self.bar.setFormat("")
        if self._plots and training:
            plot = self._make_plot() if self.plot is None else self.plot
            plot.clear()
            plot.hide()
        self.runner.run(partial(self.log.make, make_job), finish)
        self._refresh()

    def stop(self) -> None:
        """Ask the job for a clean end."""
        self.runner.control.stop()
        self.say("Stopping after the current step …")
        self._refresh()

    def toggle_pause(self) -> None:
        """Pause the job, or let it continue."""
        control = self.runner.control
        paused = not control.paused
        (control.pause if paused else control.resume)()
        self.say("Paused. Memory is kept; press Resume to continue." if paused else "Running.")
        self._refresh()

    def say(self, text: str, trouble: bool = False) -> None:
        """Show a sentence, for trouble with a button for a report; warnings of the run stay below it."""
        self._about_inputs = False
        self.message.show_text(with_titles(text), trouble)
        self.diagnostics_button.setVisible(trouble)

    def on_inputs(self, advice: str = "") -> None:
        """Take back why a job could not begin, as its inputs have changed; where nothing else is said, give advice."""
        if self._about_inputs or not (self.runner.running or self.message.text):
            self.say(advice)
            self._about_inputs = True

    def show_run(self, visible: bool) -> None:
        """Show the progress, notes and curves of the last job, or hide them where they would be taken for another's."""
        self._shows_run = visible
        self.bar.setVisible(visible)
        self.notes.setVisible(visible and bool(self.notes.text))
        if self.plot is not None:
            self.plot.setVisible(visible and bool(self.plot.curves))

    def note(self, *lines: str) -> None:
        """Show lines that stay for the whole run, such as the device; none clears them."""
        self._notes = lines
        self.notes.show_text(with_titles("\n".join(lines)))

    def show_error(self, error: BaseException) -> None:
        """Show an error in the panel and as a notification of napari."""
        if not self.runner.running:
            self.log = JobLog()
        self.log.error = error
        known = isinstance(error, UserError)
        text = str(error) if known else f"Something went wrong: {type(error).__name__}: {error}"
        self.say(text, trouble=True)
        self._about_inputs = not self.runner.running
        self.message.setToolTip(str(getattr(error, "details", "")))
        show_error(with_titles(text))

    def _refresh(self) -> None:
        """Make the buttons agree with the state of the job."""
        running, control = self.runner.running, self.runner.control
        self.start_button.setEnabled(not running)
        self.stop_button.setEnabled(running and not control.stopped)
        self.pause_button.setEnabled(running and not control.stopped)
        self.pause_button.setText("Resume" if control.paused else "Pause")
        self.idle.emit(not running)

    def _on_event(self, event: Event) -> None:
        self.log.note(event)
        match event:
            case Started():
                self.note(" ".join(filter(None, (f"Runs on {event.device}.", event.reason))), *self._notes)
                self.say(event.summary or "Running.")
            case Progress():
                self._show_progress(event)
            case Preview():
                if self.training:
                    self.preview.emit(event.images)
            case Notice():
                self.warning.show_text("\n".join(filter(None, (self.warning.text, with_titles(event.text)))))
            case Finished():
                self._show_end("stopped" if event.stopped else "done")
                self._show(event.result, event.stopped)
                self._announce()

    def _show_progress(self, event: Progress) -> None:
        self.bar.setRange(0, _FULL)
        self.bar.setValue(round(_FULL * event.fraction))
        left = f"  ·  {duration(event.seconds_left)} left" if event.seconds_left is not None else ""
        self.bar.setFormat(f"%p %{left}")
        if self.training:
            self.record.add(event)
        if self.plot is not None and self.training:
            self.plot.add(event.step, event.losses, event.metrics)
            self.plot.setVisible(self._shows_run and bool(self.plot.curves))

    def _announce(self) -> None:
        """Show in the viewer what the panel says, when the panel is hidden: it is closed, or behind another."""
        if self.visibleRegion().isEmpty() and self.message.text:
            show_info(self.message.text)

    def _show_end(self, word: str) -> None:
        self.bar.setRange(0, _FULL)
        self.bar.setValue(_FULL)
        self.bar.setFormat(word)

    def _on_failure(self, error: BaseException) -> None:
        self.bar.setRange(0, _FULL)
        self.bar.setValue(0)
        self.bar.setFormat("")
        self.show_error(error)

    def _on_end(self) -> None:
        if not isalive(self.start_button):
            return  # PySide6 tells a panel that Qt has taken away already
        if self.bar.maximum() == 0:
            self._show_end("")
        self._show = _nothing
        self._refresh()


def _load_plots() -> None:
    """Load what draws the curves in the background: it takes longer than the opening of a dock or a click may take."""
    start_thread(import_module, ".loss_plot", __package__)


def _nothing(result: object, stopped: bool) -> None:
    """What is shown when no job runs."""
