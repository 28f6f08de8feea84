"""What learns from episodes beside the generator: how sharply pixels are compared, and the mask decoder."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ....networks.attention import class_logits_of_batch, log_odds, unit_vectors
from ....networks.in_context import MASK_DECODER, SHARPNESS
from ....networks.mask_decoder import MaskDecoder
from .episodes import EpisodeBatch

_SHARPEST = 40.0
"""Greatest factor of the similarity: beyond it a few painted pixels decide everything, and gradients vanish."""
_NEVER = -1e4
"""Logit of a class that a picture does not have."""
_DICE = 0.5
"""Weight of one minus the soft Dice beside the cross-entropy."""


class ContextHead(nn.Module):
    """Answers episodes from the vectors of pixels.

    Parameters
    ----------
    dimensions
        Numbers of a pixel's vector.
    sharpness
        The factor of similarities to begin with; its logarithm is learnt.
    decoder
        Draws the mask of one class; None, and similarity decides.

    """

    def __init__(self, dimensions: int, sharpness: float = 10.0, decoder: MaskDecoder | None = None) -> None:
        super().__init__()
        self.dimensions, self.decoder = dimensions, decoder
        self.logarithm = nn.Parameter(torch.tensor(sharpness).log())

    def sharpness(self) -> Tensor:
        """Return the factor, above 0."""
        return self.logarithm.exp().clamp(max=_SHARPEST)

    def weights(self) -> dict[str, Tensor]:
        """Return what a model file keeps of it, by the names of `networks.in_context`."""
        decoder = {} if self.decoder is None else self.decoder.state_dict(prefix=f"{MASK_DECODER}.")
        return {SHARPNESS: self.sharpness(), **decoder}

    def similarities(self, vectors: Tensor, episodes: EpisodeBatch) -> Tensor:
        """Return the logits of all classes ``(b, classes, h * w)``, float32; those that a picture lacks are very low.

        Parameters
        ----------
        vectors
            Unit vectors ``(b, c, h * w)``.
        episodes
            What is painted, on the same device.

        """
        batch, classes, keys = episodes.keys.shape
        chosen = episodes.keys.view(batch, 1, -1).expand(-1, vectors.shape[1], -1)
        painted = vectors.gather(2, chosen).transpose(1, 2).view(batch, classes, keys, -1)
        with torch.autocast(vectors.device.type, enabled=False):
            logits = class_logits_of_batch(vectors, painted, self.sharpness())
        lacking = torch.arange(classes, device=vectors.device) >= episodes.counts[:, None]
        return logits.masked_fill(lacking[:, :, None], _NEVER)

    def losses(self, features: Tensor, images: Tensor, episodes: EpisodeBatch) -> dict[str, Tensor]:
        """Return the mean losses over the pictures: of similarities, and of the mask of one class.

        Parameters
        ----------
        features
            The generator's vectors, not yet of unit length, ``(b, c, h, w)``.
        images
            ``(b, 1, h, w)``.
        episodes
            What is painted, on the same device.

        """
        vectors = unit_vectors(features)
        logits, target = self.similarities(vectors, episodes), episodes.target.long()
        there = (episodes.counts > 0).float()
        losses = {"episodes": (there * _class_loss(logits, target)).mean() + 0.0 * self.logarithm}
        if self.decoder is not None:
            row = (episodes.drawn - 1)[:, None, None].expand(-1, -1, target.shape[1])
            odds = log_odds(logits, 1).gather(1, row).view(len(target), 1, *features.shape[-2:])
            drawn = self.decoder(images, vectors.view(features.shape), odds).flatten(1)
            losses["masks"] = (there * _mask_loss(drawn, (target == episodes.drawn[:, None]).float())).mean()
        return losses

    def classes(self, features: Tensor, images: Tensor, episodes: EpisodeBatch) -> Tensor:
        """Return the class of each pixel ``(b, h * w)`` int64.

        Parameters
        ----------
        features, images, episodes
            As for `losses`.

        """
        vectors = unit_vectors(features)
        logits = self.similarities(vectors, episodes)
        if self.decoder is None:
            return logits.argmax(1)
        odds = log_odds(logits, 1).view(len(images), -1, *features.shape[-2:])
        shown = vectors.view(features.shape)
        drawn = [self.decoder(images, shown, odds[:, one : one + 1]).flatten(1) for one in range(odds.shape[1])]
        masks = torch.stack(drawn, 1).masked_fill(logits[:, 1:] <= _NEVER, _NEVER)
        return torch.cat([torch.zeros_like(masks[:, :1]), masks], 1).argmax(1)


def _class_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy plus one minus the mean soft Dice of the classes but the first, of each picture, ``(b,)``."""
    entropy = functional.cross_entropy(logits, target, reduction="none").mean(1)
    share = logits.softmax(1)[:, 1:]
    truth = functional.one_hot(target, logits.shape[1]).transpose(1, 2)[:, 1:].to(share.dtype)
    dice = (2 * (share * truth).sum(2) + 1) / (share.sum(2) + truth.sum(2) + 1)
    meant = truth.amax(2)
    return entropy + _DICE * (1 - (dice * meant).sum(1) / meant.sum(1).clamp(min=1))


def _mask_loss(drawn: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy plus one minus the soft Dice, of each picture, ``(b,)``."""
    entropy = functional.binary_cross_entropy_with_logits(drawn, truth, reduction="none").mean(1)
    share = drawn.sigmoid()
    dice = (2 * (share * truth).sum(1) + 1) / (share.sum(1) + truth.sum(1) + 1)
    return entropy + _DICE * (1 - dice)
