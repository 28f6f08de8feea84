"""What a way of training offers the Fine-tune dock: its inputs, its settings, its request and its previews."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...jobs.settings import FinetuneSettings, TrainTask
from ...models.model_file import Model
from ..job.request import Request
from ..layers.layers import LayerSnapshot
from ..widgets.form import SettingsForm
from ..widgets.form_layout import RowForm
from ..widgets.pickers import layer_picker

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.utils.events import Event
    from napari.viewer import Viewer

AUTOSAVE_SECONDS = 15.0
"""Trainings in the viewer are short: most of one must not be lost."""


class TrainingRequest(Request[Model], Protocol):
    """A request whose run trains a model and shows, as it runs, what the model makes of the plane in view."""

    @property
    def settings(self) -> FinetuneSettings:
        """How the training goes."""

    @property
    def layer(self) -> "Image":
        """The image layer that previews and the new model are for; to be found again, not to be read."""

    @property
    def source(self) -> LayerSnapshot:
        """That layer as it was, whose planes are previewed."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that stay on screen for the whole run."""


R = TypeVar("R", bound=TrainingRequest)
_TEXTS = ("title", "hint", "apply_hint")


class TrainingPage(QWidget, Generic[R]):
    """Base of the pages of the Fine-tune dock, one for each way of training; this class is their whole contract.

    The dock owns what all ways share: start, device, time budget, name, the job panel, applying the new model. A page
    owns its inputs, at its top a picker of the image (`image`), and everything that depends on them. It joins the dock
    by its class standing in `PAGES` of `gui/finetune/dock.py`.

    A page sets `title`, `hint` and `apply_hint`, adds its inputs with `add_row` (or anything to `column`), gives
    `super().__init__` the settings it begins with (`AUTOSAVE_SECONDS` among them) and the names of those it folds away,
    and defines the abstract methods; a class that lacks one of all these cannot be made. Where inputs stand for
    settings (a task, say), it overrides `settings` too.

    Parameters
    ----------
    viewer
        The viewer whose layers it learns from.
    defaults
        The settings it begins with.
    advanced
        Names of the settings that are folded away.

    Signals
    -------
    changed()
        Another image, or another kind of result: the dock suggests a name and describes the starts again.
    reported(str, bool)
        A sentence for the user, and whether something is wrong.
    made(object, object)
        A `Trained` that the page has put into the zoo itself, and the image layer that it is for.

    Raises
    ------
    TypeError
        When a class of a page lacks something; as soon as Python reads the class.

    """

    changed = Signal()
    reported = Signal(str, bool)
    made = Signal(object, object)

    title: ClassVar[str]
    """Verb on the page's tab."""
    hint: ClassVar[str]
    """Sentence on what this way of training takes and gives; the tab's tooltip."""
    apply_hint: ClassVar[str]
    """What applying the new model does, as a tooltip."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        # not by ABCMeta, as a class of Qt has a metaclass of its own
        abstract = [name for name, value in vars(TrainingPage).items() if getattr(value, "__isabstractmethod__", False)]
        missing = [name for name in abstract if getattr(cls, name) is vars(TrainingPage)[name]]
        missing += [name for name in _TEXTS if not hasattr(cls, name)]
        if missing:
            raise TypeError(f"The page {cls.__name__} lacks {', '.join(missing)}.")

    def __init__(self, viewer: "Viewer", defaults: FinetuneSettings, advanced: tuple[str, ...]) -> None:
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
        """Add a row to the page's form.

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

    def reset_choices(self, event: "Event | None" = None) -> None:
        """Read the viewer's layers again, in every picker."""
        self.image.reset_choices(event)

    def on_image(self) -> None:
        """Respond to the choice of another image; overriding methods call this one last."""
        self.changed.emit()

    def on_start(self, context_generator: str | None, device: str) -> None:
        """Respond to the choice of another start or device.

        Parameters
        ----------
        context_generator
            The generator to segment in context with: the start that is picked, where it can, else the recommended one;
            None where there is none.
        device
            What networks run on.

        """

    def on_close(self) -> None:
        """Listen to no layer any more, and end what the page itself runs, since the dock is gone."""

    @property
    def learns(self) -> TrainTask:
        """The task that is learnt; the recommended start depends on it."""
        return "segment"

    @property
    def advice(self) -> str:
        """What to do first."""
        return self.hint if self.image.value is not None else f"Drop an image into the viewer. {self.hint}"

    def settings(self) -> FinetuneSettings:
        """Return the page's settings as they stand on screen; the dock sets time and device."""
        settings: FinetuneSettings = self.advanced.settings()
        return settings

    @abstractmethod
    def request(self, settings: FinetuneSettings, start_from: str | None) -> R:
        """Read layers and inputs, on the GUI thread, into a frozen request.

        Pixels that the user may edit while the job runs are copied here; everything slow belongs into the request's
        `start`, which is called in a worker thread, a second time (`RunOptions.resume`) where a training that died is
        resumed.

        Parameters
        ----------
        settings
            The page's own, with the time and device of the dock.
        start_from
            A model or generator of the zoo, or ``scratch``; None takes the recommended generator.

        Returns
        -------
        TrainingRequest
            Its `layer` is what `image` shows.

        Raises
        ------
        UserError
            A sentence with what is missing or does not fit, and the way out.

        """

    @abstractmethod
    def begin_preview(self, request: R) -> None:
        """Get ready for the previews of a run."""

    @abstractmethod
    def show_preview(self, images: Mapping[str, NDArray[np.generic]]) -> None:
        """Show the images of a `Preview` event, by name, in layers that are updated in place."""

    @abstractmethod
    def blank_preview(self) -> None:
        """Show nothing until the next preview comes: another plane is in view."""

    @abstractmethod
    def remove_preview(self) -> None:
        """Take the layers of the preview away."""

    def on_idle(self, idle: bool) -> None:
        """Respond to the start or end of one of the dock's jobs."""
