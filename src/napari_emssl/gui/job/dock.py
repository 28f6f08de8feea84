"""What the docks share: a body that scrolls when the window is low, and a clean end when the dock is closed."""

from typing import TYPE_CHECKING, ClassVar

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from ... import worker_jobs
from ...jobs.worker import client
from ..threads.background import close_at_end, start_thread
from ..widgets.form_layout import RowForm
from .job_panel import JobPanel

if TYPE_CHECKING:
    from napari.viewer import Viewer

PLUGIN = "napari-emssl"
APPLY, FINETUNE = "EM SSL Apply model", "EM SSL Fine-tune"
MODELS, PRETRAIN = "EM SSL Models", "EM SSL Pretrain"
SIMULATE = "EM SSL Simulate"
"""Names of the docks in the plugin's menu."""

_SIZE = QSize(370, 640)


class Column(QScrollArea):
    """A body that scrolls, with a form at its top; `on_close` is called when the dock is taken away."""

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = viewer
        self._window = viewer.window  # to be held, as napari gives a plugin a new proxy each time
        close_at_end(self._window)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.body = QWidget()
        self.column = QVBoxLayout(self.body)
        self.column.setContentsMargins(6, 4, 6, 4)
        self.column.setSpacing(4)
        self.form = RowForm()
        self.column.addLayout(self.form)
        self.setWidget(self.body)

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
        """Notice when napari takes the dock out of its window."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.on_close()
        return bool(super().event(event))


class Dock(Column):
    """Base of the docks of jobs: layer pickers that refresh, one job panel, and no orphan left behind."""

    panel: JobPanel
    needs: ClassVar[tuple[str, ...]] = worker_jobs.TRAINING_AND_APPLYING
    """Modules that a worker process imports for this dock before it is needed."""

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__(viewer)
        start_thread(client.warm_up, *self.needs)

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


def open_dock(viewer: "Viewer", name: str) -> QWidget:
    """Return the widget of the dock `name` of this plugin, in view: opened, or found and raised.

    Parameters
    ----------
    viewer
        The viewer with the docks.
    name
        The dock's name as the plugin's menu shows it, one of the names above.

    """
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    dock.show()
    dock.raise_()
    return widget
