"""What a network costs, whoever made it."""

import torch
from torch.utils.flop_counter import FlopCounterMode

EDGE = 256


def multiply_adds(network: torch.nn.Module) -> float:
    """Return the multiply-adds of a network with one channel for each pixel of its input."""
    network.eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.rand(1, 1, EDGE, EDGE))
    return counter.get_total_flops() / 2 / EDGE**2
