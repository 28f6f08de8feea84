"""What every pretext task does: shows the generator images, says what it minimises, and measures on held-out ones."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ....jobs.devices import Device
from ....jobs.pretrain_settings import PretrainSettings
from ....models.model_file import NetworkSpec
from ..distributed import ProcessGroup
from .collage_batches import CollageBatch
from .context_head import ContextHead


class PretextBatch(NamedTuple):
    """What one step learns from; None where no task asks for it."""

    clean: Tensor | None
    """Patches ``(b, 1, h, w)``, scaled."""
    collages: CollageBatch | None


class Verdict(NamedTuple):
    """What a task makes of the generator's output."""

    losses: dict[str, Tensor]
    """By name, for people; detached."""
    loss: Tensor
    """What is minimised."""
    output: Tensor | None = None
    """Part of the output whose gradient is known already, and that gradient."""
    gradient: Tensor | None = None


class Answer(Protocol):
    """The averaged networks in evaluation mode; all tensors are on the CPU."""

    def output(self, images: Tensor) -> Tensor:
        """Map images ``(b, 1, h, w)`` to the generator's output, float32."""

    def classes(self, output: Tensor, collages: CollageBatch) -> Tensor:
        """Return the class of each pixel ``(b, h * w)`` int64, from the generator's output on collages."""


@dataclass(frozen=True)
class TaskParts:
    """What tasks are made from; each takes what it needs."""

    settings: PretrainSettings
    """Pretext tasks, the weights of their losses, corruption and seed."""
    spec: NetworkSpec
    """The generator's heads."""
    device: Device
    group: ProcessGroup
    validation: Tensor
    """Clean patches ``(n, 1, patch, patch)``, scaled; none of them, and restoring is not validated."""
    collages: CollageBatch | None
    """Collages of held-out images; None where there are none."""
    head: ContextHead | None
    """Answers episodes; None where they are not learnt."""


class PretextTask(ABC):
    """Images to learn from, and the heads that learn from them."""

    networks: tuple[nn.Module, ...] = ()
    """What is trained beside the generator."""

    @abstractmethod
    def __init__(self, parts: TaskParts) -> None: ...

    @abstractmethod
    def images(self, batch: PretextBatch, step: int) -> Tensor:
        """Return what the generator is shown at a step, ``(b, 1, h, w)`` on the device."""

    @abstractmethod
    def judge(self, output: Tensor, images: Tensor, batch: PretextBatch) -> Verdict:
        """Return the losses of the generator's output; those of other networks get their gradients.

        Parameters
        ----------
        output
            ``(b, c, h, w)``, all heads.
        images
            What was shown.
        batch
            What it was made from.

        """

    @abstractmethod
    def validate(self, answer: Answer) -> dict[str, float]:
        """Measure on held-out images; empty when there are none."""

    @abstractmethod
    def preview(self, answer: Answer) -> Mapping[str, NDArray[np.generic]]:
        """Return pictures ``(h, w)`` of a held-out image by name."""
