"""One pair of layers: pickers of the noisy image and its clean image, and what is known of them."""

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QLabel, QToolButton, QWidget

from ....data.datasets.pair_check import PairCheck
from ...layers.matching import likely_pair, partner_of
from ...widgets.pickers import LayerPicker, layer_picker
from .request import LayerPair, RestoreTask

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.utils.events import Event
    from napari.viewer import Viewer

_MARKS = {"good": "✓", "odd": "!", "bad": "✗", "asked": "…", "": ""}
CHECKING = "Checking the pair …"


class PairRow(QObject):
    """Pickers of an image and its clean image, and what is known of them.

    Parameters
    ----------
    viewer
        The viewer whose layers are picked.
    parent
        The table.
    image
        The picker of the image; None makes one.

    Signals
    -------
    changed()
        Another layer was picked.

    """

    changed = Signal()

    def __init__(self, viewer: "Viewer", parent: QWidget, image: LayerPicker | None = None) -> None:
        super().__init__(parent)
        self.image = layer_picker(viewer, "Image") if image is None else image
        self.clean = layer_picker(viewer, "Image")
        self.mark = QLabel()
        self.mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.remove = QToolButton()
        self.remove.setText("×")
        self.remove.setAutoRaise(True)
        self.remove.setToolTip("Take this pair out of the list.")
        self.check: PairCheck | None = None
        """What is known about the pair; None while it is being checked, and where there is none."""
        self.asked = False
        """Whether the pair is being checked."""
        self.own = [False, False]
        """Whether the user has picked the image, and the clean one: that does not change by itself."""
        self._viewer, self._guessing = viewer, False
        self._before: LayerPair = self.layers
        self.image.changed.connect(lambda _: self._on_pick(0))
        self.clean.changed.connect(lambda _: self._on_pick(1))
        self.image.native.activated.connect(lambda _: self._keep(0))
        self.clean.native.activated.connect(lambda _: self._keep(1))

    @property
    def layers(self) -> LayerPair:
        """The picked layers."""
        return self.image.value, self.clean.value

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        """What stands in the row, from left to right."""
        return self.image.native, self.clean.native, self.mark, self.remove

    def reset_choices(self, event: "Event | None" = None) -> None:
        """Read the viewer's layers again."""
        self.image.reset_choices(event)
        self.clean.reset_choices(event)

    def set_layers(self, image: "ImageLayer | None", clean: "ImageLayer | None") -> None:
        """Pick two layers for the user."""
        self._pick(image, clean)
        self.own = [True, True]

    def guess_both(self, task: RestoreTask) -> None:
        """Pick the pair that most speaks for, where the user has picked nothing."""
        found = likely_pair(self.image.choices, task)
        if found is not None:
            self._pick(*found)

    def guess(self, task: RestoreTask) -> None:
        """Pick the clean image that belongs to the image, unless one is picked that fits its grid."""
        found = partner_of(self.image.value, self.clean.choices, task, self.clean.value)
        if found is not None:
            self._pick(self.image.value, found)

    def _pick(self, *layers: "ImageLayer | None") -> None:
        before, self._guessing = self._guessing, True
        try:
            for picker, layer in zip((self.image, self.clean), layers, strict=True):
                if picker.value is not layer:
                    picker.value = layer
        finally:
            self._guessing = before

    def _keep(self, which: int) -> None:
        """The user has picked in the open list, maybe what had been guessed."""
        self.own[which] = True

    def _on_pick(self, which: int) -> None:
        """Another layer is picked: by the user, unless it is a guess or stands in for one that is gone."""
        before, self._before = self._before[which], self.layers
        self.own[which] = not self._guessing and before is not None and before in self._viewer.layers
        (self.image, self.clean)[which].native.setToolTip(_name(self.layers[which]))
        self.changed.emit()

    def show_state(self) -> None:
        """Show a mark, and the sentence as its tooltip."""
        word = "asked" if self.asked else _word(self.check)
        self.mark.setText(_MARKS[word])
        self.mark.setToolTip(self.check.describe() if self.check is not None else CHECKING if word else "")


def _word(check: PairCheck | None) -> str:
    if check is None:
        return ""
    return "bad" if check.trouble else "odd" if check.doubt else "good"


def _name(layer: "ImageLayer | None") -> str:
    return "" if layer is None else str(layer.name)
