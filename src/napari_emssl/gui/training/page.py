"""What a way of training offers the fine-tune dock: its inputs, its settings, its order and its previews."""

from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...jobs.settings import FinetuneSettings, TrainTask
from ..widgets.fields import RowForm
from ..widgets.form import SettingsForm
from ..widgets.pickers import layer_picker
from .order import RunOptions, TrainingOrder

AUTOSAVE_SECONDS = 15.0
"""Trainings in the viewer are short: most of one must not be lost."""


class TrainingPage(QWidget):
    """Base of the pages of the fine-tune dock, one for each way of training; the class of a page is its whole contract.

    The dock owns what all ways share: start, device, time budget, name, the job panel, applying the new model. A page
    owns its inputs, at its top a picker of the image (`image`), and everything that depends on them. It joins the dock
    by its class standing in `finetune_widget.PAGES`.

    A page sets `title`, `hint` and `apply_hint`, adds its inputs with `add_row` (or anything to `column`), gives
    `super().__init__` the settings it begins with (`AUTOSAVE_SECONDS` among them) and the names of those it folds away,
    and overrides `order`, `begin_preview`, `show_preview`, `blank_preview` and `remove_preview`; where inputs stand for
    settings (a task, say), also `settings`.

    Signals
    -------
    changed()
        Another image, or another kind of result: the dock suggests a name and describes the starts anew.
    said(str, bool)
        A sentence for the user, and whether it is about trouble.

    """

    changed = Signal()
    said = Signal(str, bool)

    title: ClassVar[str]
    """Verb on the page's tab."""
    hint: ClassVar[str]
    """Sentence on what this way of training takes and gives; the tab's tooltip."""
    apply_hint: ClassVar[str]
    """What applying the new model does, as a tooltip."""

    def __init__(self, viewer: Any, defaults: FinetuneSettings, advanced: tuple[str, ...]) -> None:
        super().__init__()
        self.viewer = viewer
        self.advanced = SettingsForm(defaults, advanced)
        """Form of the settings that are folded away; the dock shows it below its own rows."""
        self.image = layer_picker(viewer, "Image")
        self.image.changed.connect(lambda _: self.on_image())
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(4)
        self.form = RowForm()
        self.column.addLayout(self.form)

    def add_row(self, label: str, widget: QWidget, tooltip: str = "") -> None:
        """Add a labelled row to the page's form."""
        self.form.add_row(label, widget, tooltip)

    def reset_choices(self, event: Any = None) -> None:
        """Read the viewer's layers anew, in every picker."""
        self.image.reset_choices(event)

    def on_image(self) -> None:
        """Take in that another image was picked; overriding methods call this one last."""
        self.changed.emit()

    def leave(self) -> None:
        """Let go of layers that are listened to, and end what the page itself runs, since the dock is gone."""

    @property
    def learns(self) -> TrainTask:
        """The task that is learnt; the recommended start depends on it."""
        return "segment"

    def settings(self) -> FinetuneSettings:
        """Return the page's settings as they stand on screen; the dock sets time and device."""
        settings: FinetuneSettings = self.advanced.settings()
        return settings

    def order(self, draft: RunOptions) -> TrainingOrder:
        """Resolve layers and inputs, on the GUI thread, into a frozen order.

        Pixels that the user may edit while the job runs are copied here; everything slow belongs into the order's
        `start_job`, which is called in a worker thread with the draft, once more (`RunOptions.resume`) where a
        training that died is resumed; it passes settings, start, name, autosave and resume of the draft to
        `client.run`.

        Raises
        ------
        UserError
            A sentence with what is missing or does not fit, and the way out.

        """
        raise NotImplementedError

    def begin_preview(self, order: TrainingOrder) -> None:
        """Get ready for the previews of a run."""
        raise NotImplementedError

    def show_preview(self, images: Mapping[str, NDArray[Any]]) -> None:
        """Show the images of a `Preview` event, by name, in layers that are updated in place."""
        raise NotImplementedError

    def blank_preview(self) -> None:
        """Show nothing until the next preview comes: another plane is in view."""
        raise NotImplementedError

    def remove_preview(self) -> None:
        """Take the layers of the preview away."""
        raise NotImplementedError

    def on_idle(self, idle: bool) -> None:
        """Take in that a job of the dock begins, or has ended."""
