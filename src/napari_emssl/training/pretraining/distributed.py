"""A run spread over several processes, on one machine or many, started by ``torchrun``.

Every process holds both networks and its share of each batch. Gradients, losses and the statistics of the norms are
taken over all shares, so the run is the one a single process would make with the whole batch, up to rounding. Process 0
leads: it owns steps, stop, time, validation, events and files, and announces every step, which the others then take
too (`training.steps.follow_training`).
Gradients are summed in one message a step instead of by `torch.nn.parallel.DistributedDataParallel`, which expects one
``backward`` for each ``forward``; the discriminator's one forward pass is differentiated twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from ...errors import UserError
from ...jobs.settings import DeviceSettings
from ...networks.norm import synchronise
from .torchrun_env import local_rank, rank, size

_PATIENCE = timedelta(days=7)
"""How long a process waits for the leader, which may be validating, writing or paused."""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a run; of one process, every method does nothing."""

    rank: int = 0
    size: int = 1
    control: distributed.ProcessGroup | None = None
    """Group of the leader's announcements; they travel through main memory, whatever the networks run on."""

    @property
    def leads(self) -> bool:
        """Whether this process owns events and files."""
        return self.rank == 0

    @property
    def prefix(self) -> str:
        """How many processes there are, to be put before the device; nothing for one."""
        return f"{self.size} processes, each on " if self.size > 1 else ""

    def share_of(self, batch_size: int) -> slice:
        """Return which patches of a batch are this process's.

        Raises
        ------
        UserError
            When the batch cannot be divided evenly.

        """
        if batch_size % self.size:
            raise UserError(
                f"--batch-size {batch_size} counts all processes and cannot be divided evenly among {self.size}. "
                f"Use a multiple of {self.size}."
            )
        own = batch_size // self.size
        return slice(self.rank * own, (self.rank + 1) * own)

    def sync_weights(self, networks: Iterable[nn.Module]) -> None:
        """Give all processes the leader's weights and let norms span all shares of a batch."""
        if self.size == 1:
            return
        for network in networks:
            synchronise(network)
            for tensor in network.state_dict().values():
                distributed.broadcast(tensor, 0)

    def announce(self, progress: float) -> None:
        """As leader, let the others take a step at this share of the run."""
        if self.size > 1 and self.leads:
            self._broadcast(1.0, progress)

    @contextmanager
    def released(self) -> Iterator[None]:
        """As leader, let the others end with the context, however it ends."""
        try:
            yield
        finally:
            if self.size > 1:
                with suppress(RuntimeError):  # a process that is lost has ended already
                    self._broadcast(0.0, 0.0)

    def announced(self) -> Iterator[float]:
        """As follower, yield the share of the run that is over for each step the leader announces, until its end."""
        while True:
            goes_on, progress = self._broadcast(0.0, 0.0)
            if not goes_on:
                return
            yield progress

    def average(self, networks: Iterable[nn.Module], losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Replace all gradients by their means over the shares; return the losses' means."""
        if self.size == 1:
            return dict(losses)
        grads = [weight.grad for network in networks for weight in network.parameters() if weight.grad is not None]
        # one message instead of one for each tensor: on a network the time of many small ones would add up
        bucket = torch.cat([part.reshape(-1) for part in (*grads, *losses.values())])
        distributed.all_reduce(bucket)
        parts = torch.split(bucket / self.size, [part.numel() for part in (*grads, *losses.values())])
        for gradient, mean in zip(grads, parts, strict=False):  # `parts` ends with the losses
            gradient.copy_(mean.view_as(gradient))
        return {name: part[0] for name, part in zip(losses, parts[len(grads) :], strict=True)}

    def _broadcast(self, *values: float) -> list[float]:
        """Give the leader's values to all; those that a follower gives are overwritten."""
        message = torch.tensor(values, dtype=torch.float64)  # a share in float32 would give another learning rate
        distributed.broadcast(message, 0, group=self.control)
        return list(map(float, message))


@contextmanager
def process_group(device: torch.device) -> Iterator[ProcessGroup]:
    """Join the processes that torchrun has started, for as long as the context lasts; alone, there is nothing to join.

    Raises
    ------
    UserError
        When another process of the run dies.

    """
    if size() == 1:
        yield ProcessGroup()
        return
    _meet("nccl" if device.type == "cuda" else "gloo")
    try:
        control = distributed.new_group(backend="gloo", timeout=_PATIENCE)
        yield ProcessGroup(distributed.get_rank(), distributed.get_world_size(), control)
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or not _is_lost_connection(error):
            raise
        raise UserError(
            f"Another process of the run has ended, so process {rank()} ends, too. Its own message says why."
        ) from error
    finally:
        distributed.destroy_process_group()


def _meet(backend: str) -> None:
    """Wait until all processes of the run are there."""
    try:
        distributed.init_process_group(backend)
    except (ValueError, distributed.DistError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise UserError(
            f"The {size()} processes of the run cannot connect to each other ({reason}). Start them with torchrun; "
            "for a single process unset WORLD_SIZE."
        ) from error


def with_own_device(settings: DeviceSettings) -> DeviceSettings:
    """Return where this process runs: with several on one machine each takes the GPU of its own number."""
    if size() == 1 or settings.device not in ("auto", "cuda") or not torch.cuda.is_available():
        return settings
    return DeviceSettings(device=f"cuda:{local_rank()}", precision=settings.precision)


def _is_lost_connection(error: RuntimeError) -> bool:
    words = str(error).lower()
    return isinstance(error, distributed.DistBackendError) or any(
        word in words for word in ("connection", "gloo", "nccl", "peer", "socket", "timed out")
    )
