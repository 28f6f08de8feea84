"""How rare classes are, given back to a network that learnt them as if all were equally frequent.

Where the loss gives every class the same weight, rare classes are learnt quickly, and then drawn too large: the network
believes that half of all pixels are theirs. On whole labelled planes it is known how many are. The logarithm of a
class's odds, added to its logit, would undo it (logit adjustment, Menon et al. 2021, arXiv 2007.07314); after a short
training that is often too much. So for every class the least share of it is added that is good for held-out planes.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ...data.patches.labelled import LabelledPlane
from .scoring import scores_by_step

Judged = Sequence[tuple[Tensor, Tensor]]
"""Logits ``(1, c, 1, n)`` of held-out pixels of some planes, and their targets ``(1, 1, n)``."""
ADJUSTED = "dice_adjusted"
"""The validation result with shares added."""
_SHARES = tuple(step / 8 for step in range(9))
_LITTLE = 0.02
"""Dice below the best that a smaller share may have: on images unlike those held out, less is safer."""
_MOST_PX = 2**18
"""Held-out pixels by which shares are chosen."""
_BIAS = "head.bias"
"""Weights of a network that are added to its logits."""


class ClassOdds:
    """What is added to the logits of each class.

    Parameters
    ----------
    planes
        What is learnt from, if most of it is labelled; none where labels do not say how frequent classes are.
    classes
        Number of classes, background included.

    """

    def __init__(self, planes: Sequence[LabelledPlane], classes: int) -> None:
        self.log_odds = _log_odds(planes, classes)
        """Of each class that is rarer than the background, against it; zeros for others, or where labels do not say."""
        self.shares = [0.0] * (classes - 1)
        """Of the log-odds, for each class, that are added now."""
        self._by_step: dict[int, list[float]] = {}

    @property
    def known(self) -> bool:
        """Whether there is anything to add."""
        return bool(self.log_odds.any())

    def added_to(self, logits: Tensor) -> Tensor:
        """Return logits ``(b, c, h, w)`` with what is added to each class; one channel is one class."""
        added = torch.tensor(self.shares) * self.log_odds
        if not added.any():
            return logits
        beside = torch.zeros(logits.shape[1] - len(added))  # the background, where it has a channel of its own
        return logits + torch.cat([beside, added]).to(logits)[:, None, None]

    def fit(self, step: int, judged: Judged, score: Callable[[Judged], float]) -> None:
        """Choose the shares, one class after the other.

        Parameters
        ----------
        step
            Whose weights they are chosen for.
        judged
            Held-out pixels, without what is added.
        score
            Tells how good logits with something added are, more is better.

        """
        self.shares = [0.0] * len(self.shares)
        some = _some_of(judged)
        for number in self.log_odds.nonzero().flatten().tolist():
            scores = []
            for share in _SHARES:
                self.shares[number] = share
                scores.append(score([(self.added_to(logits), target) for logits, target in some]))
            good = np.asarray(scores) >= max(scores) - _LITTLE
            self.shares[number] = _SHARES[int(np.argmax(good))]
        self._by_step[step] = list(self.shares)

    def choose(self, step: int) -> None:
        """Take the shares that were chosen for the weights of a step; none where nothing was."""
        self.shares = list(self._by_step.get(step, [0.0] * len(self.shares)))

    def absorbed(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of a network that adds the shares itself."""
        if not any(self.shares):
            return dict(weights)
        bias = weights[_BIAS]
        return {**weights, _BIAS: self.added_to(bias.view(1, -1, 1, 1)).view(-1)}

    def state(self) -> dict[int, list[float]]:
        """Return what was chosen, by the step."""
        return self._by_step

    def load_state(self, saved: object) -> None:
        """Restore what `state` returned; raises `TypeError` for anything else."""
        self._by_step = scores_by_step(saved)
        self.choose(max(self._by_step, default=0))


def takes_odds(network: nn.Module) -> bool:
    """Whether a network has weights that are added to the logits of classes; one in context compares instead."""
    return _BIAS in dict(network.named_parameters())


def _some_of(judged: Judged) -> Judged:
    """Return every k-th pixel of many."""
    apart = max(1, sum(target.numel() for _, target in judged) // _MOST_PX)
    return [(logits[..., ::apart], target[..., ::apart]) for logits, target in judged]


def _log_odds(planes: Sequence[LabelledPlane], classes: int) -> Tensor:
    counts = sum((np.bincount(plane.target.ravel(), minlength=classes + 1) for plane in planes), np.zeros(classes + 1))
    _, ground, *others = counts.tolist()
    if not ground:
        return torch.zeros(classes - 1)
    # of a frequent class Dice would choose too much: a network that has learnt nothing scores best with it everywhere
    return torch.tensor([float(np.log(count / ground)) if 0 < count < ground else 0.0 for count in others])
