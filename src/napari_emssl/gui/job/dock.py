"""What the docks share: a body that scrolls when the window is low, and a clean end when the dock is closed."""

from typing import TYPE_CHECKING, ClassVar

from npe2 import PluginManager
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ... import worker_jobs
from ...jobs.worker import client
from ..layers.brush_circle import remove_brush_box
from ..threads.background import close_at_end, start_thread
from ..widgets.form_layout import RowForm
from .job_panel import JobPanel

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer

PLUGIN = "napari-emssl"
APPLY, FINETUNE = "EM SSL Apply model", "EM SSL Fine-tune"
MODELS, PRETRAIN = "EM SSL Models", "EM SSL Pretrain"
PARTICLES, SIMULATE = "EM SSL Particles", "EM SSL Simulate"
"""Names of the docks in the plugin's menu."""

_FAMILY = "EM SSL "
_SIZE = QSize(370, 640)


class Column(QScrollArea):
    """A body that scrolls, with a form at its top; `on_close` is called when the dock is taken away."""

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = viewer
        self._window = viewer.window  # to be held, as napari gives a plugin a new proxy each time
        close_at_end(self._window)
        remove_brush_box(viewer)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().rangeChanged.connect(self._leave_room)
        self._leave_room(0, 0)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.body = QWidget()
        self.column = QVBoxLayout(self.body)
        self.column.setContentsMargins(6, 4, 2, 4)
        self.column.setSpacing(4)
        self.form = RowForm()
        self.column.addLayout(self.form)
        self.setWidget(self.body)
        self._stale = False
        """Whether the layers have changed since they were last read."""
        self._turn = QTimer(self, singleShot=True, interval=0, timeout=self._on_turn)

    def _leave_room(self, _low: int, high: int) -> None:
        """Leave room for the scroll bar while it is away: all lines would break elsewhere when it comes."""
        self.setViewportMargins(0, 0, 0 if high > 0 else self.verticalScrollBar().sizeHint().width(), 0)

    def reset_choices(self, event: "Event | None" = None) -> None:
        """Read the viewer's layers again: once a turn of the event loop when napari calls this for each, else at once.

        A dock behind another one reads them when it comes into view.
        """
        self._stale = True
        if event is None:
            self._read_layers()
        else:
            self._turn.start()

    def update_choices(self) -> None:
        """Bring everything that lists layers up to date; a column on its own lists none."""

    def forget_layers(self) -> None:
        """Let go of what is no longer in the viewer; called once a turn, whether the dock is in view or not."""

    def _on_turn(self) -> None:
        self.forget_layers()
        if self.isVisibleTo(self.window()):
            self._read_layers()

    def _read_layers(self) -> None:
        if self._stale:
            self._stale = False
            self.update_choices()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with the layers."""
        self._read_layers()
        super().showEvent(event)

    def sizeHint(self) -> QSize:
        """Ask for a dock that leaves most of a small screen to the image."""
        return _SIZE

    def minimumSizeHint(self) -> QSize:
        """Be wide enough for the forms; height scrolls."""
        return QSize(self.body.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width(), 120)

    def add_row(self, label: str, widget: QWidget, tooltip: str = "") -> None:
        """Add a row to the form.

        Parameters
        ----------
        label
            Stands before the field.
        widget
            The field.
        tooltip
            Of both.

        """
        self.form.add_row(label, widget, tooltip)

    def on_close(self) -> None:
        """End what is running, since the dock is gone; a column on its own runs nothing."""

    def event(self, event: QEvent) -> bool:
        """Notice when napari puts the dock into its window, and when it takes it out."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self._turn.stop()
                self.on_close()
            else:
                QTimer.singleShot(0, self._join_others)  # napari places the dock after it has made its frame
        return bool(super().event(event))

    def _join_others(self) -> None:
        """Become a tab beside the other docks of this plugin: below each other they leave room for none."""
        if isalive(self) and isinstance(frame := self.parent(), QDockWidget):
            # a tab has room for a few letters, which would be those that all docks of this plugin begin with
            frame.setWindowTitle(frame.windowTitle().removeprefix(_FAMILY).partition(" (")[0])
            _tabify(frame)


class Dock(Column):
    """Base of the docks of jobs: layer pickers that refresh, one job panel, and no orphan left behind."""

    panel: JobPanel
    needs: ClassVar[tuple[str, ...]] = worker_jobs.TRAINING_AND_APPLYING
    """Modules that a worker process imports for this dock before it is needed."""

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__(viewer)
        start_thread(client.warm_up, *self.needs)

    @property
    def advice(self) -> str:
        """What to do first; shown while nothing else is said."""
        return ""

    def _read_layers(self) -> None:
        stale = self._stale
        super()._read_layers()
        if stale:
            self.panel.on_inputs(self.advice)

    def on_close(self) -> None:
        """End the job."""
        self.panel.runner.close()


def hbox(*widgets: QWidget) -> QWidget:
    """Put widgets into one row; the first takes the room."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, 1 if widget is widgets[0] else 0)
    row.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return row


def _tabify(frame: QDockWidget) -> None:
    """Make a dock a tab of one of this plugin that is in the same area, unless it shares its place with others."""
    window = frame.parent()
    if not isinstance(window, QMainWindow) or frame.isFloating() or window.tabifiedDockWidgets(frame):
        return
    area = window.dockWidgetArea(frame)
    for other in window.findChildren(QDockWidget):
        near = window.dockWidgetArea(other) == area and not other.isFloating() and not other.isHidden()
        if other is not frame and near and isinstance(other.widget(), Column):
            window.tabifyDockWidget(other, frame)
            frame.show()
            frame.raise_()
            return


def open_dock(viewer: "Viewer", name: str) -> QWidget:
    """Return the widget of the dock `name` of this plugin, in view: found and raised however it was opened, or opened.

    It is opened as by the plugin's menu, which finds it from then on.

    Parameters
    ----------
    viewer
        The viewer with the docks.
    name
        The dock's name as the plugin's menu shows it, one of the names above.

    """
    manager = PluginManager.instance()
    offered = (each for each in manager.iter_widgets() if each.plugin_name == PLUGIN)
    kind = next(each for each in offered if each.display_name == name).get_callable()
    # napari finds a dock by its title, which is another one for docks of the menu than for those of its own functions
    there = getattr(viewer.window, "dock_widgets", {}).values()  # napari 0.6.2 and newer
    widget = next((each for each in there if isinstance(each, kind)), None)
    if widget is None:
        widget = kind(viewer)
        title = f"{name} ({manager.get_manifest(PLUGIN).display_name})"
        viewer.window.add_dock_widget(widget, name=title, tabify=True)
    frame = widget.parent()
    frame.show()
    frame.raise_()
    return widget
