"""Ground that nobody has painted: which of it is like the paint, and so may be more of what was painted.

Around a painted object the dock takes a ring for background. Where particles lie close together the ring covers their
neighbours, and what is like the paint there must not be learnt as background.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...networks.attention import class_logits

_ROUNDS = 4
_CLEARLY = 0.5
"""Log-odds by which background must be likelier: what can be told neither way is left out."""
_FEWEST = 5
_LEAST_KEPT = 0.02
"""Where less of the ring is unlike the paint, the paint does not reach the edge of its object."""
_FALLBACK = 0.1
"""Share of the ring that is then background all the same: what is least like the paint."""


def unlike_paint(
    ring: Tensor, painted: Sequence[Tensor], ground: Tensor | None, sharpness: float, close: Tensor | None = None
) -> Tensor:
    """Return which pixels of a ring are background: those that are clearly less like the paint than like the others.

    A pixel is compared with the painted pixels of each class, and with all other ground that counts as background: the
    rest of the ring and what was painted as background. As the ring loses or gains pixels all are compared again. The
    rest of the ring begins as its pixels close to the paint: where an object ends there is background beside it, and
    neighbours are farther away.

    Parameters
    ----------
    ring
        Unit vectors ``(c, n)`` of the pixels in question.
    painted
        For each class, background left out, unit vectors of painted pixels ``(c, m)``.
    ground
        Unit vectors ``(c, m)`` of painted background; None where none is painted.
    sharpness
        As in `networks.attention.class_logits`.
    close
        Which pixels of the ring are close to the paint, ``(n,)``; None begins with all of them.

    Returns
    -------
    torch.Tensor
        Bool ``(n,)``, True for at least one pixel.

    """
    like_paint = class_logits(ring, painted, sharpness).amax(0)
    kept = torch.ones(ring.shape[1], dtype=torch.bool, device=ring.device)
    if close is not None and close.sum() >= _FEWEST:
        kept = close.to(ring.device)
    for _ in range(_ROUNDS):
        left = _like_ground(ring, kept, ground, sharpness) >= like_paint + _CLEARLY
        if left.float().mean() < _LEAST_KEPT:
            return _least_like(like_paint)
        if torch.equal(left, kept):
            break
        kept = left
    return kept


def _like_ground(ring: Tensor, kept: Tensor, ground: Tensor | None, sharpness: float) -> Tensor:
    """Return the logit of background of each pixel of the ring, its likeness to itself left out."""
    rest = ring[:, kept]
    similar = ((sharpness * rest.T) @ ring - sharpness).exp()
    total = similar.sum(0) - kept.float()
    count = (kept.sum() - kept.long()).clamp(min=1).float()
    if ground is not None:
        total = total + ((sharpness * ground.T) @ ring - sharpness).exp().sum(0)
        count = count + ground.shape[1]
    return (total.clamp(min=torch.finfo(total.dtype).tiny) / count).log() + sharpness


def _least_like(like_paint: Tensor) -> Tensor:
    """Return a tenth of the ring, what is least like the paint."""
    count = max(1, round(_FALLBACK * len(like_paint)))
    kept = torch.zeros_like(like_paint, dtype=torch.bool)
    kept[like_paint.argsort()[:count]] = True
    return kept
