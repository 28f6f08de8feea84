"""Convolutions that leave bf16 autocast where it would fail, or where its eight bits would show."""

import torch
from torch import Tensor, nn


class DilatedConv(nn.Conv2d):
    """`torch.nn.Conv2d`, kept out of bf16 autocast on CPUs where its weights' gradient would be NaN.

    Seen with torch 2.13 (oneDNN) on a CPU with AVX-512 BF16, channels last, when a dilated convolution has more than 16
    input channels and their number is no multiple of 16; sometimes the process crashes.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, in, h, w)`` to ``(b, out, h, w)``."""
        if not (self._goes_wrong_in_bf16() and _learns_in_bf16_on_a_cpu(x)):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())

    def _goes_wrong_in_bf16(self) -> bool:
        return max(self.dilation) > 1 and self.in_channels > 16 and self.in_channels % 16 != 0


class Head(nn.Conv2d):
    """A last convolution, always in float32: eight bits of an intensity would show as steps."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, in, h, w)`` to ``(b, out, h, w)`` in the type of the weights."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


def _learns_in_bf16_on_a_cpu(x: Tensor) -> bool:
    return x.device.type == "cpu" and torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")
