"""Early warnings: what goes wrong in a training, noticed while it runs, and what to do about it.

A `HealthMonitor` records the losses of every step and reads them a few at a time: reading a loss waits for the GPU.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .learner import Losses

READ_EVERY = 16
"""Steps whose losses may wait to be read."""
PATIENCE = 10
"""Steps in a row without sound losses after which a run ends: weights that are not finite never recover."""
SOUND = 1e6
"""A loss beyond this, or that is no number, is lost: images are scaled to 0..1, so losses start at 1000 at most."""
WINDOW = 300
"""Steps over which the discriminator is watched."""
_WON, _UNDECIDED = 0.005, 0.245
_SHARE, _STEPS = 0.25, 1000
"""After this share of a run, and this many steps, the generator must be useful."""


@dataclass
class HealthMonitor:
    """Checks the losses and previews of one run; every warning comes once.

    A discriminator that answers c to everything has the least-squares loss ((c - 1)^2 + c^2) / 2, which is at least
    1/4 (c = 1/2, undecided); one that is always right has the loss 0.
    """

    failure: str = ""
    """Why the run must end; empty while it may continue."""
    _waiting: list[tuple[int, list[str], Tensor]] = field(default_factory=list)
    _bad: list[int] = field(default_factory=list)
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _seen: bool = False
    _warned: set[str] = field(default_factory=set)

    @property
    def full(self) -> bool:
        """Whether the losses recorded should be read now."""
        return len(self._waiting) >= READ_EVERY

    @property
    def sound(self) -> bool:
        """Whether the last losses read were sound: only then weights are worth keeping."""
        return not self._bad

    def record(self, step: int, losses: Losses) -> None:
        """Take the losses of a step, without waiting for their values."""
        if losses:
            values = [torch.as_tensor(value, dtype=torch.float32) for value in losses.values()]
            self._waiting.append((step, list(losses), torch.stack(values)))

    def check(self) -> Iterator[str]:
        """Read what was recorded; yield a sentence for each new trouble."""
        waiting, self._waiting = self._waiting, []
        for (step, names, _), values in zip(waiting, _fetched(value for _, _, value in waiting), strict=True):
            yield from self._check_losses(step, dict(zip(names, values, strict=True)))

    def wants_preview(self, step: int, progress: float) -> bool:
        """Whether it is time to compare a restored patch with the clean one, which was not done yet."""
        return not self._seen and step >= _STEPS and progress >= _SHARE

    def check_preview(self, images: Mapping[str, NDArray[np.generic]], step: int, progress: float) -> Iterator[str]:
        """Compare the restored patch of a preview with the corrupted one.

        Parameters
        ----------
        images
            Pictures ``(h, w)`` by name; of interest are "corrupted", "restored" and "clean".
        step, progress
            Steps taken, and the share of the run that is over.

        Yields
        ------
        str
            A sentence, once, when the restored patch is no nearer to the clean one.

        """
        if step < _STEPS or progress < _SHARE:
            return
        self._seen = True
        if not {"corrupted", "restored", "clean"} <= images.keys():
            return
        left, given = (_distance(images[name], images["clean"]) for name in ("restored", "corrupted"))
        if not left < given:
            yield from self._once(
                "useless",
                f"After {progress:.0%} of the run the generator does not yet restore the patch shown: restored, it "
                f"differs from the clean one by {left:.3g}, corrupted by {given:.3g} (mean absolute difference). "
                "Train for longer, or "
                "start again with another --learning-rate.",
            )

    def _check_losses(self, step: int, losses: dict[str, float]) -> Iterator[str]:
        bad = [name for name, value in losses.items() if not abs(value) < SOUND]
        if not bad:
            self._bad.clear()
            yield from self._check_discriminator(losses)
            return
        self._bad.append(step)
        yield from self._once(
            "diverged",
            f"Training diverges: since step {self._bad[0]} a loss is not finite or far too large "
            f"({', '.join(bad)}). The run ends on its own after {PATIENCE} such steps. Start again with a lower "
            "learning rate, or in fp32 if it was in bf16.",
        )
        if len(self._bad) >= PATIENCE:
            self.failure = (
                f"Training has diverged: from step {self._bad[0]} on the losses were not finite or far too large."
            )

    def _check_discriminator(self, losses: Mapping[str, float]) -> Iterator[str]:
        if "discriminator" not in losses:
            return
        self._recent.append(losses["discriminator"])
        if len(self._recent) < WINDOW:
            return
        usual = float(np.median(self._recent))
        if usual < _WON:
            yield from self._once(
                "won",
                f"The discriminator has won: its loss was mostly below {_WON:g} over the last {WINDOW} steps, so the "
                "generator learns little but L1. Give more images or a smaller --discriminator-width; if validation "
                "L1 still falls, the generator can be used as it is.",
            )
        elif usual > _UNDECIDED:
            yield from self._once(
                "undecided",
                f"The discriminator has collapsed: over the last {WINDOW} steps its loss was mostly {usual:.2g}, no "
                "better than the 0.25 of one that gives the same answer to everything. The generator learns from L1 "
                "alone. Start again with a lower --learning-rate or a larger --discriminator-width, unless the "
                "pictures already look clean.",
            )

    def _once(self, kind: str, text: str) -> Iterator[str]:
        if kind not in self._warned:
            self._warned.add(kind)
            yield text


def _fetched(values: Iterable[Tensor]) -> list[list[float]]:
    """Bring the losses of many steps to main memory at once."""
    rows = list(values)
    same = len({len(row) for row in rows}) == 1
    return torch.stack(rows).tolist() if same else [row.tolist() for row in rows]


def _distance(image: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    return float(np.abs(image.astype(np.float64) - other.astype(np.float64)).mean())
