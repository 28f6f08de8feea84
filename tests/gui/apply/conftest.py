"""What is said of room is that of one computer, whatever the tests run on."""

import pytest

from napari_emssl.gui.apply import destination, request


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 GB of memory and 50 GB of disk are free."""
    for module in (destination, request):
        monkeypatch.setattr(module, "free_main_memory", lambda: 8_000_000_000)
    monkeypatch.setattr(request, "free_disk", lambda folder: 50_000_000_000)
