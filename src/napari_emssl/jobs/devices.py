"""Which device a job runs on, with which precision, and why."""

import contextlib
from dataclasses import dataclass

import torch
from torch import nn

from .. import cpu_threads
from ..errors import UserError
from ..formatting import counted
from ..thread_team import is_shared
from .settings import DeviceSettings


@dataclass(frozen=True)
class Device:
    """The device that a job runs on."""

    torch_device: torch.device
    precision: str
    """``fp32`` or ``bf16``."""
    label: str
    reason: str
    """Why it is not a GPU, as a sentence; empty on a GPU."""
    tunes_threads: bool = False
    """Whether the number of threads is left to the program, on a CPU; where results may vary in their last bits."""

    @property
    def fuses_steps(self) -> bool:
        """Whether an optimiser can step all weights in one kernel; on a Mac's GPU torch 2.4, the oldest one, cannot."""
        return self.torch_device.type != "mps"

    @property
    def replays_steps(self) -> bool:
        """Whether training steps can be recorded once and replayed (CUDA graphs)."""
        return self.torch_device.type == "cuda"

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return the context in which networks run: bf16 autocast, or nothing for float32."""
        if self.precision == "bf16":
            # rounded weights are remembered for all threads together and forgotten when one of them is done, so sums
            # of gradients would be rounded in one way or another, as it happens
            return torch.autocast(self.torch_device.type, torch.bfloat16, cache_enabled=not is_shared())
        return contextlib.nullcontext()


def choose_device(settings: DeviceSettings) -> Device:
    """Resolve ``auto`` to what this machine has, and set the number of threads that the job computes with.

    Raises
    ------
    UserError
        When a device or a precision was asked for that this machine does not have.

    """
    cpu_threads.use(settings.threads)
    device, reason = _pick(settings.device)
    precision = settings.precision if settings.precision != "auto" else _fast_precision(device)
    if precision == "bf16" and device.type == "mps" and not torch.backends.mps.is_macos_or_newer(14, 0):
        raise UserError("The GPU of a Mac computes in bf16 from macOS 14 on. Choose --precision fp32.")
    if device.type == "cuda" and precision == "fp32":
        torch.backends.cudnn.allow_tf32 = False  # torch's convolutions round to 10 bits otherwise
    tunes = device.type == "cpu" and settings.threads == cpu_threads.AUTO
    return Device(device, precision, f"{_name(device)}, {precision}", reason, tunes)


def place(network: nn.Module, device: Device) -> nn.Module:
    """Move a network to the device, its weights in the memory order in which convolutions are fast."""
    moved: nn.Module = network.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def _pick(name: str) -> tuple[torch.device, str]:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda"), ""
        if torch.backends.mps.is_available():
            return torch.device("mps"), ""
        return torch.device("cpu"), _why_no_gpu()
    if name.startswith("cuda"):
        _require_cuda(name)
    if name == "mps" and not torch.backends.mps.is_available():
        raise UserError("Device 'mps' (Apple GPU) is not available here. Choose --device auto.")
    return torch.device(name), "The CPU was requested." if name == "cpu" else ""


def _require_cuda(name: str) -> None:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = int(name.partition(":")[2] or 0)
    if count == 0:
        raise UserError(f"Device '{name}' is not available: {_why_no_gpu()} Choose --device auto or cpu.")
    if index >= count:
        raise UserError(f"Device '{name}' is not available: there are {count} CUDA devices, counted from 0.")


def _why_no_gpu() -> str:
    if torch.version.cuda is None:
        return "The installed torch is a build without CUDA."
    return "No CUDA device was found."


def _fast_precision(device: torch.device) -> str:
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type == "cpu":
        return "bf16" if _cpu_computes_bf16() else "fp32"
    return "fp32"


def _cpu_computes_bf16() -> bool:
    """Return whether the CPU has hardware for bf16: AMX, or AVX-512 BF16, which halved the time of a step."""
    queries = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("amx_tile", "avx512_bf16"))
    return any(query is not None and query() for query in queries)


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({device})"
    if device.type == "cpu":
        return f"CPU ({counted(torch.get_num_threads(), 'thread')})"
    return "Apple GPU (mps)"
