"""Two brushes: one for particles, one for what is none."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Literal

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from ...widgets.swatch import swatch
from .classes import PaintedClass, given_classes, remember

if TYPE_CHECKING:
    from napari.layers import Labels, Layer
    from napari.utils.events import EventEmitter

Brush = Literal["particle", "not particle"]
_KEYS: dict[Brush, str] = {"particle": "Q", "not particle": "W"}
_NOT_PARTICLE = 2
_HINTS: dict[Brush, str] = {
    "particle": "Paint what should be found. Key: Q",
    "not particle": "Paint what was found by mistake: it is background. Key: W",
}


class BrushRow(QWidget):
    """Buttons that take the brush into the hand; their keys work while the painting is selected.

    Parameters
    ----------
    selected
        Returns the layer that is selected; a brush is in the hand only in a painting that is.

    Signals
    -------
    wanted(str)
        The user wants a brush, and there is no painting to take it for.
    taken()
        A brush is in the hand; its painting is to be selected.

    """

    wanted = Signal(str)
    taken = Signal()

    def __init__(self, selected: "Callable[[], Layer | None]") -> None:
        super().__init__()
        self._selected = selected
        self._painting: Labels | None = None
        self._painted: set[int] = set()
        self.buttons: dict[Brush, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for brush, key in _KEYS.items():
            button = self.buttons[brush] = QPushButton(f" {brush.capitalize()} ({key})")  # room beside the colour
            button.setCheckable(True)
            button.setToolTip(_HINTS[brush])
            button.clicked.connect(partial(self._on_click, brush))
            row.addWidget(button, 1)
        self.refresh()

    def watch(self, painting: "Labels | None") -> None:
        """Take the brushes for this painting from now on."""
        if painting is self._painting:
            return
        if self._painting is not None:
            for event in _brush_events(self._painting):
                event.disconnect(self.refresh)
        self._painting = painting
        if painting is not None:
            for event in _brush_events(painting):
                event.connect(self.refresh)
            for brush, key in _KEYS.items():
                painting.bind_key(key, _taking(brush, self._painted), overwrite=True)
        self.refresh()

    def know(self, painted: Iterable[int]) -> None:
        """Take note of the labels that are painted: one of them never becomes a brush's because it has no name yet."""
        self._painted.clear()
        self._painted.update(painted)
        self.refresh()

    def take(self, brush: Brush) -> None:
        """Take a brush into the hand."""
        if self._painting is not None:
            take_brush(self._painting, brush, self._painted)
            self.taken.emit()
        self.refresh()

    def _on_click(self, brush: Brush, _checked: bool = False) -> None:
        if self._painting is None:
            self.wanted.emit(brush)
        self.take(brush)

    def refresh(self, _event: object = None) -> None:
        """Show which brush is in the hand, and the colours of both, as the layer and its notes are now."""
        painting = self._painting
        for brush, button in self.buttons.items():
            label = label_of(painting, brush, self._painted)
            button.setIcon(swatch(painting.get_color(label) if painting is not None else None))
            button.setChecked(self._label_in_hand() == label)

    def _label_in_hand(self) -> int | None:
        """Return the label that a stroke would paint; None where it would paint none, as another layer is selected."""
        painting = self._painting
        if painting is None:
            return None
        held = painting == self._selected() and painting.mode == "paint"
        return int(painting.selected_label) if held else None


def label_of(painting: "Labels | None", brush: Brush, painted: Collection[int] = ()) -> int:
    """Return the label that a brush paints: the first one with its role, else a free one.

    Parameters
    ----------
    painting
        The layer, which knows what the user has said about its labels.
    brush
        Which of the two.
    painted
        Labels that occur in it: without a role of their own they are classes.

    """
    known = given_classes(painting) if painting is not None else {}
    role = "class" if brush == "particle" else "background"
    given = sorted(label for label, painted in known.items() if painted.role == role)
    if given:
        return given[0]
    if brush == "particle":
        return next(label for label in count(1) if label not in known)
    return next(label for label in count(_NOT_PARTICLE) if label not in known and label not in painted)


def take_brush(painting: "Labels", brush: Brush, painted: Collection[int] = ()) -> None:
    """Let a painting be painted with a brush; what its label stands for is remembered in the layer.

    Parameters
    ----------
    painting, brush, painted
        As for `label_of`.

    """
    label = label_of(painting, brush, painted)
    if brush == "not particle" and label not in given_classes(painting):
        remember([painting], PaintedClass(label, brush, "background"))
    painting.selected_label = label
    painting.mode = "paint"


def _taking(brush: Brush, painted: Collection[int]) -> "Callable[[Labels], None]":
    """What a key of a painting does; it holds no object of Qt, as the layer outlives the dock."""

    def take(painting: "Labels") -> None:
        take_brush(painting, brush, painted)

    return take


def _brush_events(painting: "Labels") -> "tuple[EventEmitter, ...]":
    events = painting.events
    return events.mode, events.selected_label, events.colormap
