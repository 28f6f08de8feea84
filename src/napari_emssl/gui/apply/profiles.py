"""What networks need, asked of a child process once per network and device, so that runs can be planned here."""

import threading
from contextlib import suppress

from qtpy.QtCore import QObject, Signal

from ... import worker_jobs
from ...inference.plan import NetworkProfile
from ...jobs.settings import ApplySettings, DeviceSettings
from ...jobs.worker import client
from ...models.model_file import Card, NetworkSpec

_Key = tuple[NetworkSpec, str, str]
_KNOWN: dict[_Key, NetworkProfile | None] = {}
"""For all docks; None where measuring failed, which the run itself will tell."""
_ASKING = threading.Lock()


class _News(QObject):
    """Lives as long as the program: a thread must never be the last to hold an object of Qt."""

    changed = Signal()


survey_news = _News()
"""Its signal `changed` tells that something was measured."""


def survey_of(card: Card, settings: ApplySettings) -> NetworkProfile | None:
    """Return what is known of a model's network; when nothing is yet, it is measured and `survey_news` tells."""
    device = DeviceSettings(device=settings.device, precision=settings.precision)
    key = (card.network, device.device, device.precision)
    if key not in _KNOWN and _ASKING.acquire(blocking=False):
        threading.Thread(target=_ask, args=(key, device), daemon=True).start()
    return _KNOWN.get(key)


def _ask(key: _Key, device: DeviceSettings) -> None:
    found: dict[NetworkSpec, NetworkProfile] = {}
    try:
        with suppress(Exception):
            found = client.run(worker_jobs.profile, [key[0]], device).result()
        _KNOWN[key] = found.get(key[0])
        client.warm_up(*worker_jobs.TRAINING_AND_APPLYING)
    finally:
        _ASKING.release()
    survey_news.changed.emit()
