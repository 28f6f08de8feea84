"""Devices that this machine has not, by substitution of what torch tells of them."""

import os
import subprocess
import sys

import pytest
import torch

from napari_emssl.errors import UserError
from napari_emssl.jobs.devices import choose_device
from napari_emssl.jobs.settings import DeviceSettings


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A Mac with a GPU; the list holds its version of macOS."""
    version = [15]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor: version[0] >= major)
    return version


def test_the_gpu_of_a_mac_is_taken_in_float32(mac: list[int]) -> None:
    device = choose_device(DeviceSettings())
    assert (device.torch_device.type, device.precision, device.reason) == ("mps", "fp32", "")
    assert device.label == "Apple GPU (mps), fp32"
    assert not device.fuses_steps


def test_float32_on_a_gpu_is_not_rounded_to_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "GPU")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert choose_device(DeviceSettings()).precision == "bf16"
    assert torch.backends.cudnn.allow_tf32
    assert choose_device(DeviceSettings(precision="fp32")).replays_steps
    assert not torch.backends.cudnn.allow_tf32


def test_bf16_needs_macos_14(mac: list[int]) -> None:
    asked = DeviceSettings(device="mps", precision="bf16")
    assert choose_device(asked).precision == "bf16"
    mac[0] = 13
    with pytest.raises(UserError, match=r"from macOS 14 on\. Choose --precision fp32"):
        choose_device(asked)
    assert choose_device(DeviceSettings(device="cpu", precision="bf16")).precision == "bf16"


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name in ("mps", "cuda", "cuda:1"):
        with pytest.raises(UserError, match=f"'{name}'.*not available.*--device auto"):
            choose_device(DeviceSettings(device=name))
    assert "CUDA" in choose_device(DeviceSettings()).reason


@pytest.mark.parametrize(
    ("platform", "given", "found"), [("darwin", None, "1"), ("darwin", "0", "0"), ("linux", None, "")]
)
def test_what_the_gpu_of_a_mac_cannot_do_the_cpu_does(platform: str, given: str | None, found: str) -> None:
    code = (
        f"import sys, os; sys.platform = {platform!r}\nimport napari_emssl\n"
        "print('torch' in sys.modules, os.environ.get('PYTORCH_ENABLE_MPS_FALLBACK', ''))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTORCH_ENABLE_MPS_FALLBACK"}
    environment |= {} if given is None else {"PYTORCH_ENABLE_MPS_FALLBACK": given}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == f"False {found}".strip()
