"""The zoo is read in a thread; whoever asks gets the newest state."""

import threading
from itertools import pairwise

import pytest
from patience import PATIENCE_SECONDS

from napari_emssl.gui.models import reader
from napari_emssl.gui.models.reader import ZooReader
from napari_emssl.models.registry import Offer, RemoteModel

pytestmark = pytest.mark.gui
REMOTE = RemoteModel(
    name="far", task="denoise", network="unet-2-44", parameters=1, bytes=1, sha256="0" * 64,
    urls=("https://example.org/far.safetensors",),
)  # fmt: skip


def remote(view):
    return [row.name for row in view.rows if row.origin == "remote"]


@pytest.fixture
def views(qtbot, monkeypatch):
    """What a reader tells whose registries are asked about first, and the own models again and again meanwhile."""
    asked = []
    monkeypatch.setattr(reader, "read_offer", lambda: asked.append(1) or Offer((REMOTE,), ("no such registry",)))
    zoo, found = ZooReader(), []
    zoo.read.connect(found.append)
    zoo.ask(registries=True)
    for _ in range(5):
        zoo.ask()
    qtbot.waitUntil(lambda: not zoo.running)
    assert len(asked) == 1
    zoo.ask()
    qtbot.waitUntil(lambda: not zoo.running)
    assert len(asked) == 1
    zoo.close()
    return found


def test_registries_asked_about_are_read_though_newer_questions_follow(views):
    assert remote(views[-1]) == ["far"]
    assert views[-1].complaints == ("no such registry",)
    assert all(one != other for one, other in pairwise(views)), "only what is new is told"


def test_a_slow_registry_does_not_hold_back_the_own_models(qtbot, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(reader, "read_offer", lambda: go.wait(PATIENCE_SECONDS) and Offer((REMOTE,), ()))
    zoo, found = ZooReader(), []
    zoo.read.connect(found.append)
    zoo.ask(registries=True)
    qtbot.waitUntil(lambda: bool(found))
    assert zoo.running
    assert remote(found[0]) == []
    go.set()
    qtbot.waitUntil(lambda: not zoo.running)
    assert remote(found[-1]) == ["far"]
