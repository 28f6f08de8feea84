"""The first look kept: as a model in the zoo, or as a layer."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QWidget

from ....data.images.user_folder import check_name
from ....errors import UserError
from ....jobs.events import Event, Finished
from ....models.model_file import Card, ClassInfo, Model, NetworkSpec
from ....models.zoo import free_name
from ...job.request import RunOptions
from ...job.runner import Runner
from ...training.trained import put_into_zoo
from .request import SegmentRequest

if TYPE_CHECKING:
    from napari.layers import Image

_NAME = "first look"


class KeepRow(QWidget):
    """A name and two buttons; hidden until there is something to keep.

    Parameters
    ----------
    request
        Reads what is painted now; raises `UserError` with what is missing.

    Signals
    -------
    kept(object, object)
        The `Trained` that is in the zoo now, and the image layer that it is for.
    layer_wanted()
        The prediction on screen is to become a layer.
    reported(str, bool)
        A sentence for the user, and whether something is wrong.

    """

    kept = Signal(object, object)
    layer_wanted = Signal()
    reported = Signal(str, bool)

    def __init__(self, request: Callable[[], SegmentRequest]) -> None:
        super().__init__()
        self._request = request
        self._generator: str | None = None
        self._layer: Image | None = None
        self.name = QLineEdit(_NAME)
        self.name.setToolTip(
            "The first look is saved in the zoo under this name; a number is added if the name is taken."
        )
        self.model_button, self.layer_button = QPushButton("Keep model"), QPushButton("Keep layer")
        self.model_button.setToolTip(
            "Save the first look in the zoo as a model that predicts as it does now, and that can be applied to "
            "stacks, exported and trained further."
        )
        self.layer_button.setToolTip("Copy the prediction of the plane in view into a Labels layer that stays.")
        self.model_button.clicked.connect(self.keep_model)
        self.layer_button.clicked.connect(self.layer_wanted)
        self.runner = Runner(self)
        self.runner.event.connect(self._on_event)
        self.runner.failed.connect(lambda error: self.reported.emit(str(error), True))
        self.runner.ended.connect(lambda: self.model_button.setEnabled(True))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.name, 1)
        row.addWidget(self.model_button)
        row.addWidget(self.layer_button)
        self.hide()

    def offer(self, generator: str | None) -> None:
        """Offer what there is to keep: by filters (None) there is no model."""
        self._generator = generator
        for widget in (self.name, self.model_button):
            widget.setVisible(generator is not None)
        self.show()

    def keep_model(self) -> None:
        """Make the model of what is painted now and put it into the zoo; training and first look continue."""
        if self._generator is None or self.runner.running:
            return
        try:
            request, name = self._request(), free_name(check_name(self.name.text().strip() or _NAME))
        except UserError as error:
            self.reported.emit(str(error), True)
            return
        self._layer = request.layer
        self.model_button.setEnabled(False)
        self.reported.emit(f"Saving '{name}' …", False)
        self.runner.run(partial(request.keep, self._generator, name), partial(_into_zoo, name))

    def close_job(self) -> None:
        """End the job without a message."""
        self.runner.close()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Finished):
            self.kept.emit(event.result, self._layer)


def card_of_look(generator: str | None, classes: Sequence[str]) -> Card:
    """Return a card for a first look that is kept as a layer.

    Parameters
    ----------
    generator
        What answered; None: filters.
    classes
        Names of the classes, without the background.

    """
    known = tuple(ClassInfo(name=name) for name in ("background", *classes))
    return Card(name=_NAME, task="segment", network=NetworkSpec(name=generator or "filters"), classes=known)


def _into_zoo(name: str, model: Model) -> object:
    return put_into_zoo(model, RunOptions(name))
