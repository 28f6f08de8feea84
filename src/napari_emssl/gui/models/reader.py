"""Reads the zoo in a thread: many cards, and registries that may be far away, never hold the viewer."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal

from ...models.registry import Offer, read_offer
from .rows import ModelRow, local_rows, remote_rows

_NOTHING = Offer((), ())


@dataclass(frozen=True)
class ZooView:
    """The zoo at one moment."""

    rows: tuple[ModelRow, ...]
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
        self._offer, self._last = _NOTHING, ZooView(())
        self._worker: Any = None
        self._again: set[bool] = set()

    @property
    def running(self) -> bool:
        """Whether an answer is still to come."""
        return self._worker is not None

    def ask(self, registries: bool = False) -> None:
        """Read the models on this computer, and with `registries` what can be downloaded, too."""
        if self._worker is not None:
            self._again.add(registries)
            return
        self._worker = create_worker(_read, self._offer, registries)
        self._worker.yielded.connect(self._on_read)
        self._worker.finished.connect(self._on_end)
        self._worker.start()

    def _on_read(self, found: tuple[ZooView, Offer]) -> None:
        view, self._offer = found
        if view != self._last:
            self._last = view
            self.read.emit(view)

    def _on_end(self) -> None:
        self._worker = None
        if self._again:
            registries = any(self._again)
            self._again.clear()
            self.ask(registries)


def _read(offer: Offer, registries: bool) -> Iterator[tuple[ZooView, Offer]]:
    """Read what is here, then what is elsewhere; runs in a thread."""
    here = local_rows()
    yield _view(here, offer), offer
    if registries:
        new = read_offer()
        if new != offer:
            yield _view(here, new), new


def _view(here: list[ModelRow], offer: Offer) -> ZooView:
    return ZooView((*here, *remote_rows(offer, here)), offer.complaints)
