"""``napari-emssl diagnostics``."""

import pytest
from terminal import Tell

from napari_emssl.jobs import devices


def test_it_tells_the_device_of_jobs(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    told = tell("diagnostics")
    assert (told.status, told.err) == (0, "")
    assert "torch 2." in told.out
    assert told.out.splitlines()[-1].startswith("Device: CPU (")


def test_a_torch_that_does_not_load_is_told_not_raised(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: object) -> None:
        raise OSError("[WinError 126] Error loading 'C:\\Users\\anna\\torch\\lib\\c10.dll'")

    monkeypatch.setattr(devices, "choose_device", broken)
    told = tell("diagnostics")
    assert told.status == 0
    assert "Device: torch cannot be used (OSError: [WinError 126] Error loading 'c10.dll')" in told.out
