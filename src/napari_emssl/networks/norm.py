"""Batch norm, quick where channels are few, and over all processes of a run where there are several.

Same weights, statistics and results as `torch.nn.BatchNorm2d`. On a CPU with the channels last, torch's own kernel
works through one pixel after another; with 4 channels, as at the first level of the paper's U-Nets, that took more
than half of a training step. Here k neighbouring pixels are folded into one row of k times as many channels.
"""

from math import gcd
from typing import Any

import torch
from torch import Tensor, distributed, nn

_FEW = 8
"""Channels up to which folding is quicker than torch's own kernel."""
_ROW = 64
"""Numbers in a folded row."""


class BatchNorm(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` of ``(b, c, h, w)``."""

    synchronised = False
    """Whether the batch is spread over all processes of `torch.distributed`."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each channel, by the statistics of the batch while training."""
        if not self.training or not (self.synchronised or _gains_by_folding(input)):
            return super().forward(input)
        output, mean, variance = _Folded.apply(input, self.weight, self.bias, self.eps, self.synchronised)
        self._remember(mean, variance)
        return output  # type: ignore[no-any-return]

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics towards mean and unbiased variance ``(c,)``."""
        share = self.momentum or 0.0
        for running, seen in ((self.running_mean, mean), (self.running_var, variance)):
            if running is not None:
                running.lerp_(seen.to(running.dtype), share)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def synchronise(network: nn.Module) -> None:
    """Let all batch norms of `network` take the batches of all processes as one, while training."""
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.synchronised = True


def _gains_by_folding(x: Tensor) -> bool:
    narrow = x.device.type == "cpu" and x.shape[1] <= _FEW
    return narrow and x.is_contiguous(memory_format=torch.channels_last)


class _Folded(torch.autograd.Function):
    """Normalisation by the statistics of the batch, in float32 whatever the input, sums over all processes if asked."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, synchronised: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the output ``(b, c, h, w)``, mean and unbiased variance ``(c,)``."""
        rows, fold = _fold(x)
        squares = torch.linalg.vector_norm(rows, dim=0, dtype=torch.float32).square()
        sums = _unfold_sum(rows.sum(0, dtype=torch.float32), fold), _unfold_sum(squares, fold)
        total = torch.stack([*sums, torch.full_like(sums[0], len(rows) * fold)])
        if synchronised:
            distributed.all_reduce(total)
        mean = total[0] / total[2]
        variance = (total[1] / total[2] - mean.square()).clamp(min=0)
        scale = weight.double() * (variance + eps).rsqrt()
        ctx.save_for_backward(x, mean, scale, weight)
        ctx.eps, ctx.variance, ctx.synchronised, ctx.count = eps, variance, synchronised, total[2]
        output = torch.empty_like(x, memory_format=torch.channels_last)
        _affine(rows, scale, bias - mean * scale, out=_fold(output)[0])
        unbiased = variance * total[2] / (total[2] - 1)
        ctx.mark_non_differentiable(mean, unbiased)
        return output, mean, unbiased

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        """Gradients of input, weight and bias; those of weight and bias are this process's own share."""
        x, mean, scale, weight = ctx.saved_tensors
        (rows, fold), (slope, _) = _fold(x), _fold(slopes[0])
        values, slope = rows.float(), slope.float()
        own = torch.stack([_unfold_sum(slope.sum(0), fold), _unfold_sum((slope * values).sum(0), fold)])
        inverse = (ctx.variance + ctx.eps).rsqrt()
        of_weight, of_bias = (own[1] - mean * own[0]) * inverse, own[0]
        if ctx.synchronised:
            distributed.all_reduce(own)
        along = -scale * inverse.square() * (own[1] - mean * own[0]) / ctx.count
        constant = -scale * own[0] / ctx.count - along * mean
        result = torch.empty_like(x, memory_format=torch.channels_last)
        moved = _affine(values, along, constant)
        torch.addcmul(moved, slope, _repeat(scale, slope), out=_fold(result)[0])
        return result, of_weight.to(weight.dtype), of_bias.to(weight.dtype), None, None


def _fold(x: Tensor) -> tuple[Tensor, int]:
    """View ``(b, c, h, w)`` as rows of `fold` pixels, ``(b h w / fold, fold c)``."""
    pixels = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    fold = gcd(len(pixels), max(1, _ROW // x.shape[1]))
    return pixels.reshape(-1, fold * x.shape[1]), fold


def _unfold_sum(sums: Tensor, fold: int) -> Tensor:
    """Sums of folded columns ``(fold c,)`` to sums of channels ``(c,)``, in float64."""
    return sums.double().view(fold, -1).sum(0)


def _repeat(values: Tensor, rows: Tensor) -> Tensor:
    """One value a channel ``(c,)`` for each column of folded rows, float32."""
    return values.float().repeat(rows.shape[1] // len(values))


def _affine(rows: Tensor, scale: Tensor, shift: Tensor, out: Tensor | None = None) -> Tensor:
    """Scale and shift each channel of folded rows, in float32."""
    return torch.addcmul(_repeat(shift, rows), rows.float(), _repeat(scale, rows), out=out)
