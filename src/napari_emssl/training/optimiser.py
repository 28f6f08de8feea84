"""Adam as all trainings here take its steps: in one kernel, and so that a GPU can replay them."""

from collections.abc import Iterable

import torch
from torch import Tensor

from ..jobs.devices import Device


def adam(
    weights: Iterable[Tensor], rate: float, device: Device, betas: tuple[float, float] = (0.9, 0.999)
) -> torch.optim.Adam:
    """Return Adam over some weights, for `set_rate`.

    Parameters
    ----------
    weights
        What is trained, already on the device.
    rate
        Learning rate to begin with.
    device
        Where the weights are. On a GPU that replays steps the rate is a number in its memory: a step that was recorded
        reads it there.
    betas
        Decay of the running means of the gradients and of their squares.

    """
    replayed = device.replays_steps
    beginning = torch.tensor(rate, device=device.torch_device) if replayed else rate
    return torch.optim.Adam(weights, beginning, betas, fused=device.fuses_steps, capturable=replayed)


def decayed(rate: float, decay: float, progress: float) -> float:
    """Return a learning rate that falls evenly to 0 over the last share of a run.

    Parameters
    ----------
    rate
        What it is before.
    decay
        The share of the run, in [0, 1]; with 0 the rate is constant.
    progress
        The share of the run that is over, in [0, 1).

    """
    return rate * (min(1.0, (1.0 - progress) / decay) if decay else 1.0)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all weights, in place where a recorded step reads it."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
