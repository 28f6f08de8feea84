"""Reads the zoo in a thread: many cards, and registries that may be far away, never block the viewer."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from qtpy.QtCore import QObject, Signal

from ...models.registry import Offer, read_offer
from ..threads.newest import NewestWins
from .rows import ZooRow, local_rows, remote_rows


@dataclass(frozen=True)
class ZooView:
    """The zoo at one moment."""

    rows: tuple[ZooRow, ...]
    complaints: tuple[str, ...] = field(default=())
    """A sentence for each registry that cannot be read."""


class ZooReader(QObject):
    """Answers with the newest state of the zoo; what is asked for meanwhile becomes one more answer.

    Signals
    -------
    read(object)
        A `ZooView`, where it is another one than before; of a reading with registries first without what is new
        there, then with it.

    """

    read = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._zoo, self._last = _Zoo(), ZooView(())
        self._newest: NewestWins[None, ZooView] = NewestWins(self._zoo.read, parent=self)
        self._newest.answered.connect(self._on_read)

    @property
    def running(self) -> bool:
        """Whether an answer is still to come."""
        return self._newest.busy

    def ask(self, registries: bool = False) -> None:
        """Read the models on this computer, and with `registries` what can be downloaded, too."""
        self._zoo.registries_wanted |= registries
        self._newest.ask(None)

    def close(self) -> None:
        """Stop reading."""
        self._newest.close()

    def _on_read(self, view: ZooView) -> None:
        if view != self._last:
            self._last = view
            self.read.emit(view)


class _Zoo:
    """What the thread knows of the zoo.

    A question about the registries stays open until they were read: a later one about the own models alone does not
    take its place.
    """

    def __init__(self) -> None:
        self.registries_wanted = False
        self._offer = Offer((), ())

    def read(self, _: None) -> Iterator[ZooView]:
        """Read what is here, then what is elsewhere; runs in the thread."""
        here = local_rows()
        yield self._view(here)
        if self.registries_wanted:
            self.registries_wanted = False  # before reading: what is asked from now on wants a newer answer
            self._offer = read_offer()
            yield self._view(here)

    def _view(self, here: list[ZooRow]) -> ZooView:
        return ZooView((*here, *remote_rows(self._offer, here)), self._offer.complaints)
