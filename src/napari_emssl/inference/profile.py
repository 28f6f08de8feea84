"""Networks measured once: stride, reach, memory and speed, so that the viewer can plan runs without torch."""

import time
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from ..jobs.devices import Device, choose_device, place
from ..jobs.events import Control, Finished, Job, Started, Update
from ..jobs.settings import DeviceSettings
from ..models.build import network_of
from ..models.model_file import NetworkSpec
from .memory import needs_of, passes_at_once, usable_bytes
from .tiles import NetworkProfile

_TIMED_PX = 256


def profile(specs: Sequence[NetworkSpec], settings: DeviceSettings) -> Job[dict[NetworkSpec, NetworkProfile]]:
    """Measure networks, as a job; `Finished` carries a dict from each `NetworkSpec` to its `plan.NetworkProfile`.

    Weights do not matter for any of it, so that no model is read.
    """
    return Job(lambda control: _events(control, specs, settings))


def _events(
    control: Control, specs: Sequence[NetworkSpec], settings: DeviceSettings
) -> Iterator[Update | Finished[dict[NetworkSpec, NetworkProfile]]]:
    device = choose_device(settings)
    yield Started(device.label, device.reason)
    profiles = {}
    for spec in specs:
        if not control.stopped:
            profiles[spec] = _measured(place(network_of(spec).eval(), device), device)
    yield Finished(profiles, stopped=control.stopped)


def _measured(network: nn.Module, device: Device) -> NetworkProfile:
    needs = needs_of(network, device)
    usable = usable_bytes(device.torch_device) // passes_at_once(network, device)
    return NetworkProfile(needs, usable, _seconds_per_pixel(network, device), device.label)


def _seconds_per_pixel(network: nn.Module, device: Device) -> float:
    """Time the second of two passes over a small tile; the first one also prepares the device."""
    tile = torch.zeros(1, 1, _TIMED_PX, _TIMED_PX, device=device.torch_device)
    tile = tile.contiguous(memory_format=torch.channels_last)
    seconds = 0.0
    for _ in range(2):
        start = time.perf_counter()
        with torch.inference_mode(), device.autocast():
            float(network(tile).sum())  # waits for a GPU
        seconds = time.perf_counter() - start
    return seconds / _TIMED_PX**2
