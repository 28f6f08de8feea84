"""Pairs of layers, one per row: the noisy image, its clean image, whether they fit, and what is wrong where not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ....data.datasets.pair_check import PairCheck
from ....errors import UserError
from ...layers.matching import is_result
from ...threads.newest import NewestWins
from ...widgets.message import MessageLabel
from ...widgets.pickers import LayerPicker
from .pair_row import CHECKING, PairRow
from .request import LayerPair, Pair, RestoreTask, checks_of, pair_of

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer

_CALM_MS = 150


class PairTable(QWidget):
    """Rows of pairs, checked as soon as they are picked.

    Parameters
    ----------
    viewer
        The viewer whose layers are paired.
    image
        The picker that the first row uses for its image.

    Signals
    -------
    changed()
        Another layer was picked, or a row came or went.

    """

    changed = Signal()

    def __init__(self, viewer: "Viewer", image: LayerPicker) -> None:
        super().__init__()
        self._viewer = viewer
        self._task: RestoreTask = "denoise"
        self._alone = False
        self._checks = NewestWins[list[tuple[int, Pair]], tuple[int, PairCheck]](checks_of, _CALM_MS, self)
        self._checks.answered.connect(self._on_checked)
        self.rows: list[PairRow] = []
        self._make_widgets()
        self._add_row(PairRow(viewer, self, image))

    def _make_widgets(self) -> None:
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(3)
        for column in (0, 1):
            self._grid.setColumnStretch(column, 1)
        self._heads = QLabel("Image"), QLabel("Clean image")
        for column, head in enumerate(self._heads):
            self._grid.addWidget(head, 0, column)
        self.add_button = QPushButton("Add pair")
        self.add_button.clicked.connect(self.add_pair)
        self.add_button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.message = MessageLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._grid)
        layout.addWidget(self.message)
        layout.addWidget(self.add_button)

    def _add_row(self, row: PairRow) -> None:
        self.rows.append(row)
        row.image.changed.connect(lambda _: row.guess(self._task))
        row.changed.connect(self._on_layers)
        row.remove.clicked.connect(lambda: self.remove_pair(self.rows.index(row)))
        for column, widget in enumerate(row.widgets):
            self._grid.addWidget(widget, len(self.rows), column)
        self._show_columns()

    def add_pair(self) -> None:
        """Add a row with an image that no row has yet, and its clean image where one can be guessed."""
        row = PairRow(self._viewer, self)
        row.reset_choices()
        taken = [layer for other in self.rows for layer in other.layers if layer is not None]
        free = [layer for layer in row.image.choices if layer not in taken and not is_result(layer)]
        if free:
            row.image.value = free[-1]
        row.guess(self._task)
        self._add_row(row)
        self._on_layers()

    def remove_pair(self, index: int) -> None:
        """Take a row away; the rows below move up, as the first one stays."""
        for above, below in zip(self.rows[index:], self.rows[index + 1 :], strict=False):
            above.set_layers(*below.layers)
        row = self.rows.pop()
        for widget in row.widgets:
            self._grid.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        row.deleteLater()
        self._show_columns()
        self._on_layers()

    def set_pairs(self, pairs: list[LayerPair]) -> None:
        """Show these pairs of layers and no others; at least one."""
        while len(self.rows) > len(pairs):
            self.remove_pair(len(self.rows) - 1)
        while len(self.rows) < len(pairs):
            self._add_row(PairRow(self._viewer, self))
        for row, layers in zip(self.rows, pairs, strict=True):
            row.set_layers(*layers)
        self._on_layers()

    def set_kind(self, task: RestoreTask, alone: bool) -> None:
        """Pair for this task; `alone` shows images without clean ones."""
        self._task, self._alone = task, alone
        self.add_button.setText("Add image" if alone else "Add pair")
        if not alone:
            self.rows[0].guess(task)
        self._show_columns()
        self._on_layers()

    def reset_choices(self, event: "Event | None" = None) -> None:
        """Read the viewer's layers again."""
        for row in self.rows:
            row.reset_choices(event)
        first = self.rows[0]
        if self._alone or first.own[1]:
            return
        (first.guess if first.own[0] else first.guess_both)(self._task)

    @property
    def layers(self) -> list[LayerPair]:
        """The pairs of layers."""
        return [row.layers for row in self.rows]

    @property
    def checks(self) -> list[PairCheck | None]:
        """What is known of each pair; None where it is not known yet, or nothing is to be known."""
        return [row.check for row in self.rows]

    @property
    def busy(self) -> bool:
        """Whether a pair is still to be checked."""
        return self._checks.busy

    def _show_columns(self) -> None:
        several = len(self.rows) > 1
        for row in self.rows:
            row.remove.setVisible(several)
            row.clean.native.setVisible(not self._alone)
            row.mark.setVisible(not self._alone)
        self._heads[1].setVisible(not self._alone)
        self._grid.setColumnStretch(1, 0 if self._alone else 1)

    def _on_layers(self) -> None:
        """What was known no longer holds; check again once the user has paused."""
        for row in self.rows:
            row.check, row.asked = None, False
        self._checks.drop()
        self._checks.ask_when_calm(self._question)
        self.changed.emit()

    def _question(self) -> list[tuple[int, Pair]] | None:
        """Report at once what the shapes show; return the pairs whose pixels are to be checked, by row."""
        pairs = []
        for number, row in enumerate(self.rows):
            pair = None if self._alone or None in row.layers else self._pair_of(row)
            row.asked = pair is not None
            if pair is not None:
                pairs.append((number, pair))
            row.show_state()
        self._show_message()
        return pairs or None

    def _pair_of(self, row: PairRow) -> Pair | None:
        try:
            return pair_of(self._task, *row.layers)
        except UserError as error:
            row.check = PairCheck(trouble=str(error))
            return None

    def _on_checked(self, found: tuple[int, PairCheck]) -> None:
        number, check = found
        row = self.rows[number]  # rows come and go with a new question only
        row.asked, row.check = False, check
        row.show_state()
        self._show_message()

    def on_close(self) -> None:
        """Stop checking."""
        self._checks.drop()

    def _show_message(self) -> None:
        """Show the sentences: all of a single pair, of several those that want attention."""
        lines = list(self._lines())
        self.message.show_text("\n".join(lines), trouble=any(row.check and row.check.trouble for row in self.rows))

    def _lines(self) -> Iterator[str]:
        known = [row.check for row in self.rows if row.check is not None]
        if len(self.rows) == 1:
            yield from (check.describe() for check in known)
            if self.rows[0].asked:
                yield CHECKING
            return
        for number, row in enumerate(self.rows, start=1):
            if row.check is not None and (row.check.trouble or row.check.doubt):
                yield f"Pair {number}: {row.check.describe()}"
        if len(known) == len(self.rows) and not any(check.trouble or check.doubt for check in known):
            yield f"All {len(known)} pairs fit."
