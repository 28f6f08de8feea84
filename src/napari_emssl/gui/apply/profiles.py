"""What networks need, asked of a child process once per network and device, so that runs can be planned here."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from qtpy.QtCore import QObject, Signal

from ... import worker_jobs
from ...inference.tiles import NetworkProfile
from ...jobs.settings import ApplySettings, DeviceSettings
from ...jobs.worker import client
from ...models.model_file import Card, NetworkSpec
from ..threads.newest import NewestWins


class _Key(NamedTuple):
    network: NetworkSpec
    device: str
    precision: str


_KNOWN: dict[_Key, NetworkProfile | None] = {}
"""For all docks; None where measuring failed, which the run itself will report."""


class _ProfileNews(QObject):
    """Notifies all docks that a network was measured; lives as long as the program."""

    changed = Signal()


profile_news = _ProfileNews()


def profile_of(card: Card, settings: ApplySettings) -> NetworkProfile | None:
    """Return what is known of a model's network.

    When nothing is known yet, it is measured, unless another network is asked about meanwhile; `profile_news.changed`
    tells when something new is known.
    """
    key = _Key(card.network, settings.device, settings.precision)
    if key not in _KNOWN:
        _measurements().ask(key)
    return _KNOWN.get(key)


@cache
def _measurements() -> NewestWins[_Key, None]:
    """Made by the first dock, in the GUI thread; it serves all docks and outlives them."""
    measurements: NewestWins[_Key, None] = NewestWins(_measure)
    measurements.answered.connect(lambda _: profile_news.changed.emit())
    return measurements


def _measure(key: _Key) -> Iterator[None]:
    """Measure in a child process; runs in a thread."""
    found: dict[NetworkSpec, NetworkProfile] = {}
    if key not in _KNOWN:
        device = DeviceSettings.model_validate({"device": key.device, "precision": key.precision})
        with suppress(Exception):
            found = client.run(worker_jobs.profile, [key.network], device).result()
        _KNOWN[key] = found.get(key.network)
        client.warm_up(*worker_jobs.TRAINING_AND_APPLYING)
    yield
