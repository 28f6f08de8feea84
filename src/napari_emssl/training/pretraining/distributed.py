"""A run spread over several processes, on one machine or many, started by ``torchrun``.

Every process holds both networks and its share of each batch. Gradients, losses and the statistics of the norms are
taken over all shares, so the run is the one a single process would make with the whole batch, up to rounding. Process 0
leads: it owns steps, stop, time, validation, events and files, and tells the others before every step to take it.
Gradients are summed in one message a step instead of by `torch.nn.parallel.DistributedDataParallel`, which expects one
``backward`` for each ``forward``; the discriminator's one judgement is differentiated twice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, distributed, nn

from ...errors import UserError
from ...jobs.settings import DeviceSettings
from ...networks.norm import synchronise
from ..checkpoint import read_autosave
from .torchrun_env import local_rank, rank, size

_PATIENCE = timedelta(days=7)
"""How long a process waits for the leader, which may be validating, writing or paused."""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a run; of one process, every method does nothing."""

    rank: int = 0
    size: int = 1
    control: Any = None
    """Group of the leader's words; they travel through main memory, whatever the networks run on."""

    @property
    def leads(self) -> bool:
        """Whether this process owns events and files."""
        return self.rank == 0

    @property
    def prefix(self) -> str:
        """How many processes there are, to be told before the device; nothing for one."""
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
                f"Take a multiple of {self.size}."
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

    def announce(self, done: float) -> None:
        """As leader, tell the others to take a step at share `done` of the run."""
        if self.size > 1 and self.leads:
            self._say(1.0, done)

    @contextmanager
    def released(self) -> Iterator[None]:
        """As leader, tell the others at the end of the context that the run is over, however it ends."""
        try:
            yield
        finally:
            if self.size > 1:
                with suppress(RuntimeError):  # who is lost needs no telling
                    self._say(0.0, 0.0)

    def wait(self) -> float | None:
        """As follower, wait for the leader's word: the share of the run that is over, or None at its end."""
        go_on, done = self._say(0.0, 0.0)
        return done if go_on else None

    def average(self, networks: Iterable[nn.Module], losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Replace all gradients by their means over the shares; return the losses' means."""
        if self.size == 1:
            return dict(losses)
        grads = [weight.grad for network in networks for weight in network.parameters() if weight.grad is not None]
        bucket = torch.cat([part.reshape(-1) for part in (*grads, *losses.values())])
        distributed.all_reduce(bucket)
        parts = torch.split(bucket / self.size, [part.numel() for part in (*grads, *losses.values())])
        for slope, mean in zip(grads, parts, strict=False):
            slope.copy_(mean.view_as(slope))
        return {name: part[0] for name, part in zip(losses, parts[len(grads) :], strict=True)}

    def _say(self, *words: float) -> list[float]:
        message = torch.tensor(words, dtype=torch.float64)
        distributed.broadcast(message, 0, group=self.control)
        return list(map(float, message))


class Follower(Protocol):
    """What `run_follower` needs of a learner (`training.Learner`)."""

    kind: str

    def train_step(self, batch: Any, done: float) -> Mapping[str, Any]:
        """Take one step."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""


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
            f"Another process of the run has ended, so process {rank()} ends, too. Its message tells why."
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
            f"The {size()} processes of the run cannot meet ({reason}). Start them with torchrun; "
            "for a single process unset WORLD_SIZE."
        ) from error


def run_follower(
    team: ProcessGroup, learner: Follower, batches: Callable[[int], Iterator[Any]], resume: Path | None
) -> None:
    """Take every step that the leader announces, until it says that the run is over.

    Parameters
    ----------
    team
        The processes of the run.
    learner
        This process's copy of what is trained.
    batches
        Called with the first step; yields this process's share of the batches from that step on.
    resume
        The autosave that the leader goes on from.

    """
    first = 0
    if resume is not None:
        saved = read_autosave(resume, learner.kind)
        learner.load_state(saved["learner"])
        first = saved["step"]
    stream = batches(first)
    while (done := team.wait()) is not None:
        learner.train_step(next(stream), done)


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
