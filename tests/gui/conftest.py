"""GUI tests need napari, pytest-qt and a display; without them they are skipped."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from patience import PATIENCE_SECONDS

from napari_emssl import worker_jobs
from napari_emssl.jobs.events import Job
from napari_emssl.jobs.worker import client
from napari_emssl.jobs.worker.target import reference_to
from napari_emssl.models import recommended

HERE = Path(__file__).parent
PATIENCE_MS = round(1000 * PATIENCE_SECONDS)
"""How long a test waits for something to happen: on a busy machine it may be minutes."""
os.environ["NAPARI_CONFIG"] = ""
"""Viewers begin with napari's own settings and keep none: neither those of the user nor those of other tests count."""
_DISPLAY = sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))

if not all(find_spec(name) for name in ("napari", "qtpy", "pytestqt", "pyqtgraph")):
    collect_ignore_glob = ["*"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests with a window where there is no display."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("gui") and not _DISPLAY:
            item.add_marker(pytest.mark.skip(reason="no display; run under xvfb-run"))


@pytest.fixture(scope="module", autouse=True)
def little_to_search() -> None:
    """What is there before the tests of a file is not searched for garbage: napari does it when a viewer closes."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def manifests_read_once() -> Iterator[None]:
    """Each viewer looks for plugins: to parse their manifests, which do not change, takes a tenth of a test."""
    from npe2 import PluginManifest

    read = cache(PluginManifest.from_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "from_file", lambda path: read(Path(path)).model_copy(deep=True))
        yield


@pytest.fixture
def qtbot(qtbot, monkeypatch):
    """A robot that waits long, on whatever machine."""
    for name in ("waitUntil", "waitSignal"):
        wait = getattr(qtbot, name)
        monkeypatch.setattr(qtbot, name, partial(wait, timeout=PATIENCE_MS))
    return qtbot


@pytest.fixture(autouse=True)
def no_shipped_vectors(monkeypatch) -> None:
    """Docks answer in context only with a generator that a test puts into the zoo: looking with a real one is slow."""
    entries = recommended.list_models
    monkeypatch.setattr(
        recommended,
        "list_models",
        lambda: [each for each in entries() if each.origin == "own" or not each.card.network.vector_channels],
    )


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    """A viewer with a window, which is closed when the test is over."""
    gc.freeze()  # napari searches all that is not frozen whenever a layer goes
    return make_napari_viewer_proxy()


@pytest.fixture
def no_warm_up(monkeypatch) -> None:
    """Docks that open prepare no spare process, which would import torch."""
    monkeypatch.setattr(client, "warm_up", lambda *modules: None)


@pytest.fixture
def substitute(monkeypatch, no_warm_up) -> Callable[..., None]:
    """Let the worker process run other jobs, which need no torch: ``substitute(finetune=small_jobs.crash)``."""

    def put(**functions: Callable[..., Job[object]]) -> None:
        for name, function in functions.items():
            other = reference_to(function)
            reference = replace(getattr(worker_jobs, name), module=other.module, name=other.name)
            monkeypatch.setattr(worker_jobs, name, reference)

    return put


@pytest.fixture
def plugins(npe2pm) -> Iterator[None]:
    """This plugin and napari's own readers and writers, and no other that may be installed."""
    from importlib.resources import files

    builtins, own = files("napari_builtins") / "builtins.yaml", files("napari_emssl") / "napari.yaml"
    with npe2pm.tmp_plugin(manifest=str(builtins)), npe2pm.tmp_plugin(manifest=str(own)):
        yield
