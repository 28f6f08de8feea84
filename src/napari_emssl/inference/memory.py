"""How much memory a network needs per pixel, how much there is, and how a pass that is not needed is left."""

import weakref
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from ..jobs.allocator import keeps_memory
from ..jobs.devices import Device
from ..jobs.events import Control
from ..networks.norm import sees_whole_image
from ..resources import free_main_memory
from .tiles import MemoryNeeds

_PROBE_PX = 128
_SHARE = {"cpu": 0.5, "cuda": 0.8, "mps": 0.5}
"""How much of the free memory a job takes: less where other programs and the image itself live in it too."""
_OVERHEAD = 2.5
"""Measured peak of the whole process over the sum of activations, on a CPU: convolutions reorder their input, functions
that are no modules are not watched, and an allocator wastes some."""
_OVERHEAD_KEPT = 3.5
"""The same where freed memory is kept (`jobs.allocator`): blocks of many sizes do not fill the gaps of each other."""


class _Grid(Protocol):
    """What every generator reports about itself, in pixels."""

    stride: int
    receptive_field: int


class _LiveTensors:
    """Forward hook that records the most bytes of seen tensors alive at one time."""

    def __init__(self) -> None:
        # weak references, as a tensor that nothing refers to any more has freed its memory
        self._seen: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self.peak = 0

    def __call__(self, _module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        for tensor in (*inputs, output):
            if isinstance(tensor, Tensor):
                self._seen[id(tensor)] = (weakref.ref(tensor), tensor.numel() * tensor.element_size())
        self._seen = {key: entry for key, entry in self._seen.items() if entry[0]() is not None}
        self.peak = max(self.peak, sum(size for _, size in self._seen.values()))


def bytes_per_pixel(network: nn.Module, device: Device, stride: int) -> float:
    """Return the bytes that one pixel of input costs while a network runs, overhead included.

    Measured on a small black image: the largest sum of activations alive at one time, watched by forward hooks.

    Parameters
    ----------
    network
        Placed on the device, ``(1, 1, h, w)`` in.
    device
        Its precision decides on the size of activations.
    stride
        Of the network, pixels.

    """
    edge = -(-_PROBE_PX // stride) * stride
    live = _LiveTensors()
    hooks = [module.register_forward_hook(live) for module in leaves(network)]
    try:
        with torch.inference_mode(), device.autocast():
            network(torch.zeros(1, 1, edge, edge, device=device.torch_device))
    finally:
        for hook in hooks:
            hook.remove()
    kept = device.torch_device.type == "cpu" and keeps_memory()
    return (_OVERHEAD_KEPT if kept else _OVERHEAD) * live.peak / edge**2


def needs_of(network: nn.Module, device: Device) -> MemoryNeeds:
    """Return what decides on the tiles of a network on the device it was placed on."""
    grid = cast(_Grid, network)
    cost = bytes_per_pixel(network, device, grid.stride)
    on_cpu = device.torch_device.type == "cpu"
    return MemoryNeeds(grid.stride, grid.receptive_field, cost, on_cpu, sees_whole_image(network))


def passes_at_once(network: nn.Module, device: Device) -> int:
    """Return how many passes run at the same time: on a CPU one a thread, unless a pass is to see all of a plane."""
    if device.torch_device.type != "cpu" or sees_whole_image(network):
        return 1
    return torch.get_num_threads()


def leaves(network: nn.Module) -> list[nn.Module]:
    """Return the modules that have no modules inside of them."""
    return [module for module in network.modules() if not any(module.children())]


def usable_bytes(device: torch.device) -> int:
    """Return how many bytes a job may plan for on `device`: a share of what is free now."""
    return int(_SHARE.get(device.type, 0.5) * free_bytes(device))


def free_bytes(device: torch.device) -> int:
    """Return the bytes free on `device`; of the CPU that is main memory."""
    if device.type == "cuda":
        # what torch has reserved and does not use is free to torch, though the driver counts it as taken
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return free_main_memory()


def release(device: torch.device) -> None:
    """Give cached memory back to the device, so that a smaller pass finds room."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


class PassAbandonedError(Exception):
    """Leaves a pass through the network that is no longer needed."""


class StopHook:
    """Called before each layer: a pass over a large tile takes seconds, and a stop should not wait for them."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def __call__(self, *_: object) -> None:
        """Raise where the job has been asked to stop."""
        if self._control.stopped:
            raise PassAbandonedError
