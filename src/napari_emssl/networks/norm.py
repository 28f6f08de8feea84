"""Batch norm, fast where channels are few, and over all shares of a batch where it is divided; instance norm.

Batch norm has the same weights, statistics and results as `torch.nn.BatchNorm2d`. On a CPU with the channels last,
torch's own kernel works through one pixel after another; with 4 channels, as at the first level of the paper's U-Nets,
that took more than half of a training step. Here k neighbouring pixels are folded into one row of k times as many
channels.
"""

from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import UserError
from ..thread_team import is_shared, leads, over_all_shares

if TYPE_CHECKING:
    from torch.autograd.function import FunctionCtx

    class _Context(FunctionCtx):
        """What the forward pass leaves for the backward pass."""

        saved_tensors: tuple[Tensor, ...]
        eps: float
        synchronised: bool


N = TypeVar("N", bound=nn.Module)

_FEW = 8
"""Channels up to which folding is faster than torch's own kernel."""
_ROW = 64
"""Numbers in a folded row."""


class BatchNorm(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` of ``(b, c, h, w)``."""

    synchronised = False
    """Whether the batch is spread over all processes of `torch.distributed`."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel, by the statistics of the batch while training.

        Raises `UserError` where a batch has one value a channel: it has no variance.
        """
        divided = self.synchronised or is_shared()
        if self.training and not divided and x[:, 0].numel() < 2:
            raise UserError(
                "At its coarsest level the network sees a single pixel of such a small patch, which has no variance "
                "to learn from. Choose a larger --patch, or a --batch-size of 2 or more."
            )
        if not self.training or not (divided or _gains_by_folding(x)):
            return super().forward(x)
        output, mean, variance = _Folded.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.eps, self.synchronised
        )
        if leads():
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


def absorb_norms(network: N) -> N:
    """Let each convolution do the work of the batch norm that follows it, and return the network, which is changed.

    Only for a network in evaluation mode that is only asked: results are the same but for rounding, passes are faster,
    and its weights are no longer those of its model.
    """
    for module in list(network.modules()):
        for (before, convolution), (name, norm) in pairwise(list(module.named_children())):
            if isinstance(norm, BatchNorm) and isinstance(convolution, nn.Conv2d):
                setattr(module, before, fuse_conv_bn_eval(convolution, norm))
                setattr(module, name, nn.Identity())
    return network


def synchronise(network: nn.Module) -> None:
    """Let all batch norms of `network` take the batches of all processes as one, while training."""
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.synchronised = True


class InstanceNorm(nn.InstanceNorm2d):
    """`torch.nn.InstanceNorm2d` with weights, for inputs of a single pixel too, which become the bias."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel of each image ``(b, c, h, w)`` by its own mean and variance."""
        return torch.instance_norm(
            x, self.weight, self.bias, None, None, True, 0.0, self.eps, torch.backends.cudnn.enabled
        )


def use_instance_norm(network: nn.Module) -> None:
    """Put an instance norm in the place of every batch norm of `network`; their weights have the same names."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, BatchNorm):
                setattr(module, name, InstanceNorm(child.num_features))


def sees_whole_image(network: nn.Module) -> bool:
    """Whether every output pixel depends on the whole input, as the statistics of instance norms do."""
    return any(isinstance(module, InstanceNorm) for module in network.modules())


def _gains_by_folding(x: Tensor) -> bool:
    narrow = x.device.type == "cpu" and x.shape[1] <= _FEW
    return narrow and x.is_contiguous(memory_format=torch.channels_last)


class _Folded(torch.autograd.Function):
    """Normalisation by the statistics of the batch; statistics and sums are float32 or better whatever the input."""

    @staticmethod
    def forward(
        ctx: "_Context", x: Tensor, weight: Tensor, bias: Tensor, eps: float, synchronised: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise a batch.

        Parameters
        ----------
        ctx
            Keeps what `backward` needs.
        x
            The batch ``(b, c, h, w)``.
        weight, bias
            Of each channel, ``(c,)``.
        eps
            Added to the variance before its root is taken.
        synchronised
            Whether the statistics span the batches of all processes; they span the shares of all threads anyway.

        Returns
        -------
        output, mean, unbiased
            Output ``(b, c, h, w)``; mean and unbiased variance of the batch ``(c,)``, which have no gradient.
        """
        rows, fold = _fold(x)
        moments = _moments(rows, fold)
        if synchronised:
            distributed.all_reduce(moments)
        moments = over_all_shares(moments)
        count = moments[2]
        # sums rather than means are added up over processes, so their batches may differ in size; all in float64, since
        # a variance as a difference of squares cancels
        mean, square = moments[0] / count, moments[1] / count
        variance = (square - mean.square()).clamp(min=0)
        ctx.save_for_backward(x, mean.float(), variance.float(), weight, count.float())
        ctx.eps, ctx.synchronised = eps, synchronised
        output = _normalise(rows, mean.float(), variance.float(), weight, bias, eps)
        unbiased = variance * count / (count - 1)
        ctx.mark_non_differentiable(mean, unbiased)
        return _unfold(output, x), mean, unbiased

    @staticmethod
    def backward(ctx: "_Context", *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Gradients of x, weight and bias; those of weight and bias are this share's own part."""
        x, mean, variance, weight, count = ctx.saved_tensors
        (rows, fold), (grad, _) = _fold(x), _fold(grads[0])
        spread = [part.repeat(fold) for part in (weight, mean, variance)]
        result, *columns = torch.ops.aten.native_batch_norm_backward(
            grad, rows, *spread, None, None, False, ctx.eps, [True, True, True]
        )  # as if mean and variance were constants; what follows is the gradient that goes through them
        own = torch.stack([sums.view(fold, -1).sum(0) for sums in columns])
        of_weight, of_bias = own.clone()
        if ctx.synchronised:
            distributed.all_reduce(own)
        own = over_all_shares(own)
        through = -weight * (variance + ctx.eps).rsqrt() * own / count
        result += _normalise(rows, mean, variance, through[0], through[1], ctx.eps)
        return _unfold(result, x), of_weight, of_bias, None, None


def _fold(x: Tensor) -> tuple[Tensor, int]:
    """View ``(b, c, h, w)`` as rows of `fold` pixels, ``(b h w / fold, fold c)``; no copy of channels-last tensors."""
    pixels = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    fold = gcd(len(pixels), max(1, _ROW // x.shape[1]))
    return pixels.reshape(-1, fold * x.shape[1]), fold


def _unfold(rows: Tensor, like: Tensor) -> Tensor:
    """Rows of pixels as ``(b, c, h, w)``, channels last; a tensor of its own, so that it may be changed in place."""
    result = torch.empty_like(like, memory_format=torch.channels_last)
    return result.set_(rows.untyped_storage(), 0, result.shape, result.stride())


def _moments(rows: Tensor, fold: int) -> Tensor:
    """Sum, sum of squares and number of the values of each channel, ``(3, c)``, float64."""
    unread = torch.zeros(2, rows.shape[1], device=rows.device)  # float32 statistics make torch answer in float32
    columns = torch.batch_norm_update_stats(rows, unread[0], unread[1], 0.0)
    mean, variance = (part.double().view(fold, -1) for part in columns)
    count = torch.full_like(mean[0], len(rows) * fold)
    return torch.stack([len(rows) * mean.sum(0), len(rows) * (variance + mean.square()).sum(0), count])


def _normalise(rows: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Map folded rows to (x - mean) / sqrt(variance + eps) * weight + bias, each ``(c,)``, in one pass."""
    fold = rows.shape[1] // len(mean)
    weight, bias, mean, variance = (part.repeat(fold) for part in (weight, bias, mean, variance))
    return torch.native_batch_norm(rows, weight, bias, mean, variance, False, 0.0, eps)[0]
