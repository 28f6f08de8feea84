"""GUI tests need napari, pytest-qt and a display; without them they are skipped."""

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_DISPLAY = sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))

if not all(find_spec(name) for name in ("napari", "qtpy", "pytestqt", "pyqtgraph")):
    collect_ignore_glob = ["*"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests with a window where there is no display."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("gui") and not _DISPLAY:
            item.add_marker(pytest.mark.skip(reason="no display; run under xvfb-run"))


@pytest.fixture
def plugins(npe2pm) -> Iterator[None]:
    """This plugin and napari's own readers and writers, and no other that may be installed."""
    from importlib.resources import files

    builtins, own = files("napari_builtins") / "builtins.yaml", files("napari_emssl") / "napari.yaml"
    with npe2pm.tmp_plugin(manifest=str(builtins)), npe2pm.tmp_plugin(manifest=str(own)):
        yield
