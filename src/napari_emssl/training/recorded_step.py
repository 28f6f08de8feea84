"""A training step that a GPU replays from a recording instead of being told each of its kernels again.

An HRNet takes some thousand small kernels a step, and the processor needs longer to start them than the GPU to run
them. A CUDA graph starts them all at once; the same kernels compute the same numbers.
"""

import gc
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

_AS_USUAL = 3
"""Steps of a shape that are taken as usual before one is recorded: libraries choose their kernels in them."""

Losses = Mapping[str, Tensor]


class RecordedStep:
    """Takes steps as usual, and replays them where that is possible.

    A step may read nothing but its inputs and what stays in place in the GPU's memory, such as weights, norm statistics
    and what an optimiser remembers, and must not wait for a result. Inputs of another shape are taken as usual.

    Parameters
    ----------
    take
        Takes a step on some tensors and returns its losses.
    replays
        Whether steps are replayed; never on a CPU.

    """

    def __init__(self, take: Callable[..., Losses], replays: bool) -> None:
        self._take, self.replays = take, replays
        self.forget()

    def forget(self) -> None:
        """Drop the recording: what the step reads has moved."""
        self._shapes: tuple[torch.Size, ...] = ()
        self._taken = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Tensor, ...] = ()
        self._losses: Losses = {}

    @property
    def is_recorded(self) -> bool:
        """Whether steps are replayed by now."""
        return self._graph is not None

    def __call__(self, *inputs: Tensor) -> Losses:
        """Take one step; the losses may still be under way."""
        if not self.replays:
            return self._take(*inputs)
        shapes = tuple(tensor.shape for tensor in inputs)
        if shapes != self._shapes:
            if self.is_recorded:
                return self._take(*inputs)
            self._shapes, self._taken = shapes, 0
        self._taken += 1
        if self._taken <= _AS_USUAL:
            return self._take_aside(inputs)
        graph = self._graph or self._record(inputs)
        return self._replay(graph, inputs) if graph else self._take(*inputs)

    def _take_aside(self, inputs: tuple[Tensor, ...]) -> Losses:
        """Take a step in a stream of its own, as recording demands of the steps before it."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            losses = self._take(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        return losses

    def _record(self, inputs: tuple[Tensor, ...]) -> torch.cuda.CUDAGraph | None:
        """Record a step without taking it; None where that cannot be done, and all are taken as usual from then on."""
        torch.cuda.synchronize()
        gc.collect()
        torch.cuda.empty_cache()  # the recording keeps memory of its own for everything between input and losses
        graph = torch.cuda.CUDAGraph()
        self._inputs = tuple(tensor.clone() for tensor in inputs)
        try:
            # other threads go on to pin memory meanwhile
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._losses = self._take(*self._inputs)
        except RuntimeError:  # the driver cannot, or memory is short
            self.forget()
            self.replays = False
            return None
        self._graph = graph
        return graph

    def _replay(self, graph: torch.cuda.CUDAGraph, inputs: tuple[Tensor, ...]) -> Losses:
        for there, given in zip(self._inputs, inputs, strict=True):
            there.copy_(given, non_blocking=True)
        graph.replay()
        return {name: loss.clone() for name, loss in self._losses.items()}
